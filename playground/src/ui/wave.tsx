// A recording as a picture, with its words.

import { useEffect, useMemo, useRef } from "preact/hooks";
import { type Clip, peaks, secondsOf } from "../audio/clip.js";
import { play, playing, position, stopPlaying } from "../audio/player.js";
import { t } from "../i18n.js";
import { useStore } from "../store.js";

export interface TimedWord {
  text: string;
  start: number;
  end: number;
  /** A class for its colour. */
  tone?: string;
}

/** Pixels for a second, at least: words must be readable. */
const scale = 130;

export function PlayButton({ clip }: { clip: Clip }) {
  const on = useStore(playing) === clip;
  return (
    <button type="button" class="play" aria-label={on ? t("play.stop") : t("play.start")} onClick={() => (on ? stopPlaying() : play(clip))}>
      <svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true" fill="currentColor">
        {on ? <path d="M7 6h3.5v12H7zM13.5 6H17v12h-3.5z" /> : <path d="M8 5.5v13l10.5-6.5z" />}
      </svg>
    </button>
  );
}

/** Shows a recording; a click on a word plays it. */
export function Wave({ clip, words = [], label }: { clip: Clip; words?: readonly TimedWord[]; label: string }) {
  const length = secondsOf(clip);
  const width = Math.max(240, length * scale);
  const line = useMemo(() => {
    const bars = Math.floor(width / 4);
    return peaks(clip.samples, bars)
      .map((peak, i) => {
        const height = Math.max(1.5, Math.min(1, peak * 1.6) * 46);
        return `M${i * 4 + 2} ${50 - height}v${2 * height}`;
      })
      .join("");
  }, [clip]);
  if (length === 0) return null;
  return (
    <div class="wave">
      <PlayButton clip={clip} />
      <div class="wave-scroll" tabIndex={0} role="group" aria-label={label}>
        <div class="wave-inner" style={{ width: `${width}px` }}>
          <svg viewBox={`0 0 ${width} 100`} preserveAspectRatio="none" aria-hidden="true">
            <path d={line} />
          </svg>
          <Playhead clip={clip} />
          <div class="wave-words">
            {words.map((word) => (
              <button
                type="button"
                class={"wave-word " + (word.tone ?? "")}
                style={{ left: `${(100 * word.start) / length}%`, minWidth: `${(100 * (word.end - word.start)) / length}%` }}
                aria-label={t("play.word", { word: word.text })}
                onClick={() => play(part(clip, word))}
              >
                {word.text}
              </button>
            ))}
          </div>
        </div>
      </div>
    </div>
  );
}

/** Returns the part of a recording in which a word is, with a little of what is around it. */
function part(clip: Clip, { start, end }: TimedWord): Clip {
  const at = (second: number) => Math.max(0, Math.min(clip.samples.length, Math.round(second * clip.rate)));
  return { samples: clip.samples.slice(at(start - 0.08), at(end + 0.12)), rate: clip.rate };
}

function Playhead({ clip }: { clip: Clip }) {
  const on = useStore(playing) === clip;
  const line = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!on) return;
    let frame = 0;
    const move = () => {
      if (line.current) line.current.style.left = `${Math.min(100, (100 * position()) / secondsOf(clip))}%`;
      frame = requestAnimationFrame(move);
    };
    move();
    return () => cancelAnimationFrame(frame);
  }, [on, clip]);
  return on ? <div ref={line} class="playhead" aria-hidden="true" /> : null;
}
