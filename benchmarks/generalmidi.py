"""Study songs played with recorded General MIDI instruments instead of songform's own.

The notes are those of `songform.synth.study_song`; FluidSynth plays them. This needs Debian's packages `fluidsynth` and
`fluid-soundfont-gm`. To write songs as audio files, each with its form as labels:

    python -m benchmarks.generalmidi N_SONGS SEED FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.midi import DRUMS, Event, controlled, cutoff, midi_file, programmed, sounded
from songform.synth import Song, finished
from songform.synth.composition import Composition, Passage
from songform.synth.contrast import with_contrast
from songform.synth.instruments import ROLES
from songform.synth.rendering.note_player import Sound
from songform.synth.score.notes import Note
from songform.synth.song_assembly import RING_SECONDS
from songform.synth.study_composition import study_composition

__all__ = ["SOUNDFONT", "general_midi_song", "general_midi_songs"]

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
SR = 22050
SECONDS_APART = 4.0  # silence between sections, which are rendered separately: no note rings longer
ALL_SOUND_OFF = 120
EXPRESSION = 11
LOUDEST = 0.9  # level of a note that gets the velocity 127
OCTAVES = 5.0  # how far the cutoff of the filter is lowered for a note of brightness 0

# MIDI programs (counted from 0) that may play each role.
PROGRAMS = {
    "pad": {"strings": 48, "slow strings": 49, "choir": 52, "warm pad": 89, "organ": 19},
    "voice": {"flute": 73, "oboe": 68, "clarinet": 71, "violin": 40, "cello": 42},
    "keys": {"grand piano": 0, "electric piano": 4, "harp": 46, "nylon guitar": 24},
    "loop": {"marimba": 12, "vibraphone": 11, "steel guitar": 25, "pizzicato": 45, "kalimba": 108},
    "lead": {"trumpet": 56, "alto sax": 65, "square lead": 80, "saw lead": 81, "overdriven lead": 29},
    "chords": {"bright piano": 1, "rock organ": 18, "clean guitar": 27, "synth brass": 62},
    "bass": {"finger bass": 33, "picked bass": 34, "synth bass": 38, "acoustic bass": 32},
    "strings": {"tremolo strings": 44, "string ensemble": 48},
    "brass": {"brass section": 61, "french horns": 60, "trombone": 57},
    "crunch": {"distorted guitar": 30, "overdriven guitar": 29},
    "chime": {"tubular bells": 14, "celesta": 8, "glockenspiel": 9},
    "boom": {"timpani": 47},
    "reverse": {"reversed cymbal": 119},
    "riser": {"seashore": 122},
}
# Keys of the percussion channel.
KEYS = {
    "kick": {"kick": 36, "acoustic kick": 35},
    "snare": {"snare": 38, "electric snare": 40},
    "clap": {"clap": 39, "side stick": 37},
    "tom": {"toms": 0},
    "hat": {"hat": 42, "pedal hat": 44},
    "open_hat": {"open hat": 46},
    "shaker": {"maracas": 70, "shaker": 82},
    "crash": {"crash": 49, "other crash": 57},
}
TOMS = ((44, 41), (48, 43), (52, 45), (55, 47), (58, 48), (127, 50))  # (highest pitch, key)
CHANNELS = dict(zip(PROGRAMS, (channel for channel in range(16) if channel != DRUMS), strict=False))
PLAYERS = {role: tuple((PROGRAMS | KEYS)[role]) for role in ROLES}


def main() -> None:
    """Write songs as WAV files, and the form of each as an Audacity label track."""
    n_songs, seed, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    for song in general_midi_songs(n_songs, seed):
        soundfile.write(folder / f"{song.title}.wav", song.y, song.sr)
        lines = [f"{each.start:.3f}\t{each.end:.3f}\t{each.state} ({each.kind})\n" for each in song.sections]
        (folder / f"{song.title}.txt").write_text("".join(lines), encoding="utf-8")
        print(folder / f"{song.title}.wav")


def general_midi_songs(n_songs: int, seed: int) -> Iterator[Song]:
    """Compose songs with the seeds of `songform.synth.study_songs`, and play them with FluidSynth."""
    seeds = np.random.SeedSequence(seed).generate_state(n_songs, np.uint64)
    return (general_midi_song(int(each)) for each in seeds)


def general_midi_song(
    seed: int, *, duration: float | None = None, contrast: float = 1.0, soundfont: Path = SOUNDFONT
) -> Song:
    """Play the notes of `songform.synth.study_song` with FluidSynth."""
    composition = with_contrast(study_composition(seed, SR, duration, PLAYERS), contrast)
    lengths = [passage.clock.n_samples / SR + SECONDS_APART for passage in composition.passages]
    starts = list(accumulate(lengths, initial=0.0))
    y = _rendered(midi_file(_events(composition, starts), starts[-1]), soundfont)
    ring = round(RING_SECONDS * SR)
    played = []
    for passage, start in zip(composition.passages, starts, strict=False):
        sound = y[round(start * SR) :][: passage.clock.n_samples + ring]
        played.append(np.stack([sound, sound]) / 2)
    return finished(composition, played, SR)


def _events(composition: Composition, starts: list[float]) -> list[Event]:
    """Return the MIDI events of all sections, one after the other."""
    events = [programmed(0.0, channel, PROGRAMS[role][composition.band[role]]) for role, channel in CHANNELS.items()]
    for passage, start in zip(composition.passages, starts, strict=False):
        events += [controlled(start, channel, ALL_SOUND_OFF, 0) for channel in range(16)]
        for note in passage.notes:
            events += _played(note, passage, start, composition)
    return events


def _played(note: Note, passage: Passage, start: float, composition: Composition) -> list[Event]:
    """Return the MIDI events of a note: the velocity expresses its level, the filter its brightness."""
    begin = start + passage.clock.sample(note.step) / SR
    length = note.length * composition.step / SR
    velocity = int(np.clip(127 * np.sqrt(note.level / LOUDEST), 1, 127))  # SoundFonts square the velocity
    if note.role in KEYS:
        return sounded(begin, length, DRUMS, _key(note, composition.band[note.role]), velocity)
    channel = CHANNELS[note.role]
    closed = cutoff(begin, channel, OCTAVES * (1 - note.brightness) ** 2)
    pitch = {"boom": 41, "reverse": 60, "riser": 60}.get(note.role, note.pitch)
    events = [*closed, *sounded(begin, length, channel, pitch, velocity)]
    if note.role == "riser":
        swell = np.linspace(20, 127, 32).astype(int).tolist()
        events += [controlled(begin + i * length / 32, channel, EXPRESSION, value) for i, value in enumerate(swell)]
    return events


def _key(note: Note, player: str) -> int:
    """Return the percussion key of a drum; the key of a tom depends on its pitch."""
    if note.role == "tom":
        return next(key for highest, key in TOMS if note.pitch <= highest)
    return KEYS[note.role][player]


def _rendered(midi: bytes, soundfont: Path) -> Sound:
    """Render a MIDI file with FluidSynth, and return the mean of the two channels."""
    fluidsynth = shutil.which("fluidsynth")
    if not fluidsynth or not soundfont.is_file():
        sys.exit(
            f"FluidSynth or its sounds ({soundfont}) are not installed; "
            "to install both: apt-get install fluidsynth fluid-soundfont-gm"
        )
    with tempfile.TemporaryDirectory(prefix="songform-midi-") as folder:
        score, wave = Path(folder, "song.mid"), Path(folder, "song.wav")
        score.write_bytes(midi)
        options = ["-ni", "-q", "-R", "0", "-C", "0", "-g", "0.4", "-r", str(SR), "-T", "wav", "-O", "float"]
        subprocess.run([fluidsynth, *options, "-F", str(wave), str(soundfont), str(score)], check=True, timeout=120)
        y, _ = soundfile.read(wave, dtype="float32", always_2d=True)
    return np.asarray(y.mean(axis=1), dtype=np.float32)


if __name__ == "__main__":
    main()
