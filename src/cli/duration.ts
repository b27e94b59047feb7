/**
 * Durations as people write them: `500ms`, `5s`, `2m`, `1h`, `7d`. The unit is required, as it is in a config: whoever writes `--ttl 1`
 * hardly means a millisecond.
 */
import { TrefoilError } from '../core/errors.js';

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds, whole and above zero. Throws `BadRequest` that names `option`. */
export function parseDurationMs(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim());
  const unit = match?.[2] as keyof typeof UNIT_MS;
  const ms = Math.round(Number(match?.[1]) * UNIT_MS[unit]);
  if (match === null || !(ms > 0) || !Number.isSafeInteger(ms))
    throw new TrefoilError(
      'BadRequest',
      `${option} must be a duration with its unit, like 500ms, 5s or 2m, not "${text}"`,
    );
  return ms;
}

/** Short and readable: `840 ms`, `12.3 s`, `4 min`, `3.0 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}
