"""Opens videos with PyAV and samples frames from them. Blocking: runs in threads.

The container format is detected by content. FFmpeg is told which demuxer to use, so that it follows
no playlist or script. The first frame of every interval is sampled, so a video always gives the
same frames. A `VideoAccount` records the outcome of every frame.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, Any

import av
from av.error import FFmpegError
from chassis.refusals import Kind, Refusal
from vision.arrays import Picture
from vision.containers import START_BYTES, container_of, lacks_index
from vision.frames import picture_of
from vision.media_clock import MediaClock
from vision.packets import packets_of, timed, usual_step
from vision.pictures import MOST_PIXELS
from vision.pixel_shapes import pixel_aspect_of, shown_size

from inference_gateway.frames.model import PictureTooLarge, check_format
from inference_gateway.ingest.video_account import Outcome, VideoAccount

FRAMES_PER_SECOND_DEFAULT = 2.0
FRAMES_PER_SECOND_MAX = 30.0
VIDEO_SECONDS_MAX = 6 * 3600.0
# As a share of the interval between two frames.
ROUNDING = 0.01
# So many frames may be wanting at an end before that is worth a word: codecs hold some back.
FRAMES_HELD_BACK = 1.5


class NotAFilm(Refusal):
    kind = Kind.INVALID
    code = "NOT_A_FILM"


class FilmTruncated(Refusal):
    kind = Kind.INVALID
    code = "FILM_TRUNCATED"


class FilmNotDecodable(Refusal):
    kind = Kind.INVALID
    code = "FILM_NOT_DECODABLE"


class FilmTooLarge(Refusal):
    kind = Kind.INVALID
    code = "FILM_TOO_LARGE"


@dataclass(frozen=True)
class SampledFrame:
    """A frame sampled from a video or stream. The field `number` is the number of the sampling
    interval. `seconds` counts from the start of the video; for a stream, from
    `video_session.Subject.started_at`. `progress` is the share of the video up to this frame (0 to
    1), 0 if the video's length is not known."""

    number: int
    seconds: float
    picture: Picture
    # 0 to 1; 0 where the length is not known.
    progress: float


class Sampling:
    """Decides which frames to sample: the first of every interval of 1 / frames_per_second
    seconds."""

    def __init__(self, frames_per_second: float) -> None:
        self._frames_per_second = frames_per_second
        self._last = -1

    def number(self, seconds: float) -> int | None:
        """Return the number of the sampling interval at `seconds` from the start, or None if an
        earlier frame of this interval was sampled."""
        # Times come as fractions: 0.4999 belongs to 0.5. RTP counts in 90 000ths of a second.
        interval = math.floor(seconds * self._frames_per_second + ROUNDING)
        if interval <= self._last:
            return None
        self._last = interval
        return interval


@dataclass(frozen=True)
class VideoFile:
    """A video file that can be opened, and the name of its FFmpeg demuxer. `seconds` is the video's
    length, measured from its packets. `announced_seconds` is the length stated in its header, 0 if
    there is none or it cannot be trusted."""

    file: IO[bytes]
    demuxer: str
    # Of what is in the file, by its packets.
    seconds: float
    # As its header says; 0 where it does not, or its stamps cannot be believed.
    announced_seconds: float

    @staticmethod
    def of(file: IO[bytes]) -> "VideoFile":
        """Determine the format and length of the video in a file, and return it as a `VideoFile`.
        Raises NotAFilm, FilmTruncated, PictureFormatNotTaken or PictureTooLarge."""
        file.seek(0)
        start = file.read(START_BYTES)
        check_format(start)
        demuxer = container_of(start)
        if demuxer is None:
            raise NotAFilm
        try:
            with _opened(file, demuxer) as container:
                clock = timed(container)
                announced = 0.0 if clock.jumps else _announced(container)
        except (FFmpegError, ValueError, IndexError) as error:
            raise (FilmTruncated if lacks_index(file) else NotAFilm) from error
        return VideoFile(file, demuxer, clock.end, announced)

    def frames(self, frames_per_second: float, account: VideoAccount) -> Iterator[SampledFrame]:
        """Yield the sampled frames, and record the outcome of every frame in `account`. A truncated
        video ends where it was cut off.

        Raises PictureTooLarge, FilmNotDecodable if no frame can be decoded, or NotAFilm if the
        video has no frames.
        """
        shown = False
        try:
            with _opened(self.file, self.demuxer) as container:
                for shot in self._sampled(container, frames_per_second, account):
                    shown = True
                    yield shot
        except (FFmpegError, ValueError, IndexError) as error:
            if not shown:
                raise self._nothing_shown from error
        if not shown:
            raise self._nothing_shown

    @property
    def _nothing_shown(self) -> type[Refusal]:
        return FilmNotDecodable if self.seconds else NotAFilm

    def _sampled(
        self, container: Any, frames_per_second: float, account: VideoAccount
    ) -> Iterator[SampledFrame]:
        stream = container.streams.video[0]
        aspect = pixel_aspect_of(stream)
        sampling, clock = Sampling(frames_per_second), MediaClock(usual_step=usual_step(stream))
        for frame in _decoded(container, stream, account, clock):
            seconds = clock.date(frame.time)
            if seconds >= VIDEO_SECONDS_MAX:
                break
            if frame.is_corrupt:
                account.frame(seconds, Outcome.DAMAGED)
                continue
            check_size(frame, aspect)
            number = sampling.number(seconds)
            account.frame(seconds, Outcome.NOT_SAMPLED if number is None else Outcome.LOOKED_AT)
            if number is not None:
                _note(account, frame, aspect)
                progress = min(1.0, seconds / self.seconds) if self.seconds else 0.0
                yield SampledFrame(number, seconds, picture_of(frame, aspect), progress)
        self._account_for_rest(account, clock)

    def _account_for_rest(self, account: VideoAccount, clock: MediaClock) -> None:
        account.discontinuities = clock.jumps
        if clock.jumps or clock.bridged:
            account.notes.add("stamps_bridged")
        is_over = clock.seconds < VIDEO_SECONDS_MAX
        account.end(clock.end if is_over else VIDEO_SECONDS_MAX)
        held_back = FRAMES_HELD_BACK * clock.usual_step
        if self.seconds > clock.end + held_back:
            account.leave_out(
                self.seconds, Outcome.UNDECODABLE if is_over else Outcome.BEYOND_LIMIT
            )
        if self.announced_seconds > self.seconds + held_back:
            account.leave_out(self.announced_seconds, Outcome.MISSING)


def sampled_frames(
    file: IO[bytes], frames_per_second: float, account: VideoAccount | None = None
) -> Iterator[SampledFrame]:
    """Yield the frames sampled from a video file. Raises the same errors as `VideoFile.of` and
    `VideoFile.frames`."""
    film = VideoFile.of(file)
    yield from film.frames(frames_per_second, account or VideoAccount(frames_per_second))


def check_size(picture: Any, pixel_aspect: Fraction = Fraction(1)) -> None:
    """Raise PictureTooLarge if a picture has too many pixels. `picture` is a decoded frame, or the
    codec context that announces the size of the frames. `pixel_aspect` is the width of a pixel
    divided by its height."""
    width, height = shown_size(picture.width, picture.height, pixel_aspect)
    if width * height > MOST_PIXELS:
        raise PictureTooLarge


@contextmanager
def _opened(file: IO[bytes], demuxer: str) -> Iterator[Any]:
    """Open a file as a PyAV container whose decoder has a limit of pixels."""
    file.seek(0)
    with av.open(file, "r", format=demuxer) as container:
        coder = container.streams.video[0].codec_context
        if coder is None:
            raise FilmNotDecodable
        check_size(coder)
        coder.options = {"max_pixels": str(MOST_PIXELS)}
        yield container


def _announced(container: Any) -> float:
    """The length in seconds of the video stream, or of the container if it has no other stream;
    else 0.
    """
    stream = container.streams.video[0]
    if stream.duration:
        return float(stream.duration * stream.time_base)
    alone = len(container.streams) == 1
    return container.duration / av.time_base if container.duration and alone else 0.0


def _decoded(
    container: Any, stream: Any, account: VideoAccount, clock: MediaClock
) -> Iterator[Any]:
    """Yield every decoded frame, damaged or not; record undecodable data in the account."""
    stamps: list[int | None] = []
    begun = False
    for packet in packets_of(container, stream):
        frames: list[Any] = []
        if packet.size and not begun:
            stamps.append(packet.pts)
        try:
            frames = packet.decode()
        except FFmpegError:
            account.undecodable()
        if frames and not begun:
            begun = True
            _pass_lost_beginning(stamps, frames[0], account, clock)
        yield from frames


def _pass_lost_beginning(
    stamps: list[int | None], first: Any, account: VideoAccount, clock: MediaClock
) -> None:
    """Start the video's time at its first picture, decodable or not, since a recording may begin
    within a group of pictures. `stamps` are the time stamps of all packets up to the first frame.
    """
    if first.pts is None or first.pts not in stamps:
        return
    lost = stamps[: stamps.index(first.pts)]
    # Packets come in the order of decoding, frames in that of showing.
    for stamp in sorted(stamp for stamp in lost if stamp is not None):
        clock.date(float(stamp * first.time_base))
    if lost:
        account.undecodable()


def _note(account: VideoAccount, frame: Any, aspect: Fraction) -> None:
    if frame.interlaced_frame:
        account.notes.add("deinterlaced")
    if aspect != 1:
        account.notes.add("pixels_squared")
