"""Serves films with GStreamer's RTSP server; needs the system's Python for GStreamer's bindings.

The first line of output is the port. A line "path file" on standard input adds an H.264 MP4 file
under that RTSP path; the reply is "ready path". Needs Debian's gir1.2-gst-rtsp-server-1.0,
python3-gi, and GStreamer's good and bad plug-ins.
"""

import sys
from threading import Thread

LAUNCH = (
    "( filesrc location={file} ! qtdemux ! h264parse config-interval=-1"
    " ! rtph264pay name=pay0 pt=96 )"
)


def main() -> None:
    import gi  # type: ignore[import-not-found]

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found]

    Gst.init(None)
    for name in ("qtdemux", "h264parse", "rtph264pay"):
        if Gst.ElementFactory.find(name) is None:
            sys.exit(f"GStreamer has no {name}: install its good and bad plug-ins")
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    server.attach(None)
    loop = GLib.MainLoop()

    def add(line: str) -> bool:
        path, _, file = line.strip().partition(" ")
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(LAUNCH.format(file=file))
        server.get_mount_points().add_factory(f"/{path}", factory)
        print(f"ready {path}", flush=True)
        return False

    def listen() -> None:
        for line in sys.stdin:
            GLib.idle_add(add, line)
        GLib.idle_add(loop.quit)

    print(server.get_bound_port(), flush=True)
    Thread(target=listen, daemon=True).start()
    loop.run()


if __name__ == "__main__":
    main()
