// The Web Mercator projection: the world as a square from 0 to 1, from its north-western corner.

export const TILE_PIXELS = 256;
const METRES_AROUND = 40_075_016.686;
const LATITUDE_MAX = 85.0511;

export function project({ latitude, longitude }) {
  const held = Math.max(-LATITUDE_MAX, Math.min(LATITUDE_MAX, latitude)) * Math.PI / 180;
  return { x: (longitude + 180) / 360, y: 0.5 - Math.asinh(Math.tan(held)) / (2 * Math.PI) };
}

export const unproject = ({ x, y }) => ({
  latitude: Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180 / Math.PI, longitude: x * 360 - 180,
});

// A part of the world on the screen: `centre` in the square, `zoom` as of web maps (also between two of
// them), sizes in pixels.
export class Frame {
  constructor({ centre, zoom, width, height }) { Object.assign(this, { centre, zoom, width, height }); }

  get scale() { return TILE_PIXELS * 2 ** this.zoom; }
  with(changes) { return new Frame({ ...this, ...changes }); }

  toScreen({ x, y }) {
    return { x: (x - this.centre.x) * this.scale + this.width / 2, y: (y - this.centre.y) * this.scale + this.height / 2 };
  }

  toWorld({ x, y }) {
    return { x: this.centre.x + (x - this.width / 2) / this.scale, y: this.centre.y + (y - this.height / 2) / this.scale };
  }

  moved(dx, dy) {
    const { x, y } = this.toWorld({ x: this.width / 2 - dx, y: this.height / 2 - dy });
    return this.with({ centre: { x: Math.max(0, Math.min(1, x)), y: Math.max(0, Math.min(1, y)) } });
  }

  // Another zoom, at which the same place of the world stays under this point of the screen.
  zoomed(zoom, at = { x: this.width / 2, y: this.height / 2 }) {
    const held = this.toWorld(at), next = this.with({ zoom }), now = next.toWorld(at);
    return next.with({ centre: { x: next.centre.x + held.x - now.x, y: next.centre.y + held.y - now.y } });
  }

  // The closest look at all of a part of the world.
  fitting(min, max, zoomMax) {
    const most = Math.min(this.width / (max.x - min.x), this.height / (max.y - min.y)) / TILE_PIXELS;
    const zoom = Math.max(0, Math.min(zoomMax, Math.log2(most)));
    return this.with({ zoom, centre: { x: (min.x + max.x) / 2, y: (min.y + max.y) / 2 } });
  }

  // In degrees, within the world.
  get box() {
    const clamp = (value) => Math.max(0, Math.min(1, value));
    const corner = (x, y) => { const at = this.toWorld({ x, y }); return unproject({ x: clamp(at.x), y: clamp(at.y) }); };
    const { latitude: north, longitude: west } = corner(0, 0);
    const { latitude: south, longitude: east } = corner(this.width, this.height);
    return { south, west, north, east };
  }

  get metresAPixel() {
    return METRES_AROUND * Math.cos(unproject(this.centre).latitude * Math.PI / 180) / this.scale;
  }
}
