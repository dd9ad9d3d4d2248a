#!/bin/bash
# Creates the recordings of this folder, and the output of the reference decoders
# for them (ref/, 16 kHz mono, 16-bit FLAC). Usage: make.sh SPEECH.wav, where
# SPEECH.wav is samples/jfk.wav of whisper.cpp (public domain).
#
# Needs ffmpeg (with libopus, soxr), opus-tools, flac, lame, sox, chromium, gcc,
# libopencore-amrnb-dev, libvo-amrwbenc-dev.
# Made with ffmpeg 5.1.9, opus-tools 0.2 (libopus 1.3.1), flac 1.4.2, lame
# 3.100, sox 14.4.2, chromium 156. The output of encoders changes between
# versions, so always create all files together.
set -euo pipefail
speech=$(realpath "$1")
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p ref
ff() { ffmpeg -loglevel error -y "$@"; }

# Speech at 48 kHz; and at 44.1 kHz with a delayed, softer right channel.
ff -ss 0.3 -t 0.6 -i "$speech" -ar 48000 -map_metadata -1 -fflags +bitexact "$tmp/mono.wav"
ff -i "$tmp/mono.wav" -filter_complex \
  "[0]asplit[a][b];[b]adelay=13,volume=0.6,atrim=end=0.6[c];[a][c]join=inputs=2:channel_layout=stereo" \
  -ar 44100 -fflags +bitexact "$tmp/stereo.wav"

flac --silent -f -8 "$tmp/stereo.wav" -o stereo-44k.flac
ff -i "$tmp/mono.wav" -ar 24000 -c:a pcm_s24le "$tmp/mono24.wav"
flac --silent -f -5 "$tmp/mono24.wav" -o mono-24k-24bit.flac
lame --quiet -V5 --add-id3v2 --tt Speech "$tmp/stereo.wav" vbr-44k.mp3   # VBR, joint stereo, ID3v2, LAME tag
lame --quiet -b 32 -m m --resample 16 -t "$tmp/mono.wav" mono-16k.mp3    # MPEG-2, no tag
lame --quiet -b 16 -m m --resample 8 "$tmp/mono.wav" mpeg25-8k.mp3       # MPEG-2.5
lame --quiet -b 24 -m m --resample 12 "$tmp/mono.wav" mpeg25-12k.mp3
lame --quiet -b 48 -m j --resample 11.025 "$tmp/stereo.wav" mpeg25-11k.mp3
opusenc --quiet --bitrate 12 --speech --framesize 60 "$tmp/mono.wav" silk.opus
opusenc --quiet --bitrate 32 --speech "$tmp/mono.wav" hybrid.opus
opusenc --quiet --bitrate 96 --music "$tmp/stereo.wav" celt-stereo.opus
cat silk.opus celt-stereo.opus > chained.opus
ff -i hybrid.opus -c copy -fflags +bitexact lavf.webm                    # CodecDelay, DiscardPadding
ff -i stereo-44k.flac -c:a libvorbis -q:a 4 -page_duration 100000 -map_metadata -1 -fflags +bitexact vorbis.ogg
ff -i mono-24k-24bit.flac -c:a libvorbis -q:a 2 -map_metadata -1 -fflags +bitexact vorbis.webm
ff -i stereo-44k.flac -c:a aac -b:a 96k -fflags +bitexact adts.aac
# As iPhones write it, with the index at the end; for the web; as MediaRecorder sends it.
ff -i "$tmp/mono.wav" -c:a aac -b:a 64k -fflags +bitexact mono-48k.m4a
ff -i "$tmp/mono.wav" -c:a aac -b:a 64k -fflags +bitexact quicktime.mov
ff -i "$tmp/stereo.wav" -c:a aac -b:a 96k -movflags +faststart -fflags +bitexact stereo-44k.mp4
ff -i "$tmp/stereo.wav" -c:a aac -b:a 96k -movflags empty_moov+default_base_moof -frag_duration 100000 -fflags +bitexact fragments.mp4
gcc -o "$tmp/amr" amr.c -lopencore-amrnb -lvo-amrwbenc
ff -i "$tmp/mono.wav" -ar 8000 -f s16le - | "$tmp/amr" narrow > narrow.amr
ff -i "$tmp/mono.wav" -ar 16000 -f s16le - | "$tmp/amr" wide > wide.amr
ff -i wide.amr -c:a copy -movflags +faststart -fflags +bitexact wide.3gp
for bits in 8 16 24 32; do
  sox -D "$speech" -b $bits -r 11025 wav-$bits.wav trim 0.5 0.25         # 24 and 32: WAVE_FORMAT_EXTENSIBLE
done
ff -i wav-32.wav -metadata title=Speech -c:a pcm_f32le wav-f32.wav       # LIST before data
ff -i wav-32.wav -c:a pcm_f64le wav-f64.wav
for law in mulaw alaw; do ff -i wav-32.wav -c:a pcm_$law wav-$law.wav; done
ff -i wav-32.wav -c:a pcm_s16le -f wav - | cat > wav-pipe.wav            # all bits of the lengths are ones

ff -ss 0.3 -t 1 -i "$speech" -fflags +bitexact "$tmp/speech.wav"
python3 record.py "$tmp"                                                 # as MediaRecorder sends it
mv "$tmp"/browser-*.webm .

# reference FILE CHANNELS [DECODER [DECODED]]
reference() {
  local pan="" decoder=()
  [ "$2" = 2 ] && pan="pan=mono|c0=0.5*c0+0.5*c1,"
  [ -n "${3:-}" ] && decoder=(-c:a "$3")
  # shellcheck disable=SC2086 # two words or none
  ff "${decoder[@]}" -i "${4:-$1}" ${length:-} -af "${pan}aresample=resampler=soxr:precision=28:osr=16000" \
    -sample_fmt s16 -map_metadata -1 -fflags +bitexact "$tmp/ref.wav"
  flac --silent -f -8 --no-padding "$tmp/ref.wav" -o "ref/$1.flac"
}
reference stereo-44k.flac 2
reference mono-24k-24bit.flac 1
reference vbr-44k.mp3 2 mp3float
for f in mono-16k.mp3 mpeg25-8k.mp3 mpeg25-12k.mp3; do reference $f 1 mp3float; done
reference mpeg25-11k.mp3 2 mp3float
for f in silk.opus hybrid.opus lavf.webm browser-mono.webm; do reference $f 1 libopus; done
for f in celt-stereo.opus browser-stereo.webm; do reference $f 2 libopus; done
for f in wav-16.wav wav-mulaw.wav wav-alaw.wav; do reference $f 1; done
for f in narrow.amr wide.amr wide.3gp; do reference $f 1; done
reference fragments.mp4 2
reference adts.aac 2
reference vorbis.webm 1
sox -D vorbis.ogg -b 24 "$tmp/vorbis.wav"                                # this ffmpeg loses its end
reference vorbis.ogg 2 "" "$tmp/vorbis.wav"
length="-t 0.6" # as their edit lists say; this ffmpeg ignores the end
for f in mono-48k.m4a quicktime.mov; do reference $f 1; done
reference stereo-44k.mp4 2
