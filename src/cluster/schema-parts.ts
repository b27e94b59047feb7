/** What the schemas of a config share: kinds of fields, each with what to say of anything else. */
import { z } from 'zod';
import { NAME_LENGTH_MAX, TTL_MS_MAX } from '../core/limits.js';
import { didYouMean } from './did-you-mean.js';

const NAME = new RegExp(`^[A-Za-z0-9][A-Za-z0-9._-]{0,${NAME_LENGTH_MAX - 1}}$`);
const DURATION_UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_UNITS_BYTES = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** A found value as a message shows it. */
export function shown(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

export function text(): z.ZodString {
  return z.string({
    error: ({ input }) => `must be text, not ${shown(input)}${quotesHelp(input)}`,
  });
}

function quotesHelp(input: unknown): string {
  return input === null || typeof input === 'object' ? '' : ': put it in quotes';
}

export function name(): z.ZodString {
  return text().regex(NAME, {
    error: ({ input }) =>
      `must be 1 to ${NAME_LENGTH_MAX} letters, digits, dots, dashes or underscores and start with a letter or digit, not ${shown(input)}`,
  });
}

export function wholeNumber(min: number, max: number): z.ZodNumber {
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `from ${min} to ${max}`;
  const error = ({ input }: { readonly input?: unknown }): string =>
    `must be a whole number ${range}, not ${shown(input)}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

export function choice<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, {
    error: ({ input }) =>
      `must be ${orList(values)}, not ${shown(input)}${typeof input === 'string' ? didYouMean(input, values) : ''}`,
  });
}

function orList(values: readonly string[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1) ?? ''}`;
}

/** Milliseconds of `30d`, `12h`, `15m`, `90s`, `500ms` or a bare number of milliseconds; undefined for anything else. */
function durationMs(input: unknown): number | undefined {
  if (typeof input === 'number') return input;
  const match = typeof input === 'string' ? /^(\d{1,15}(?:\.\d{1,6})?) ?(ms|s|m|h|d)$/.exec(input) : null;
  if (match === null) return undefined;
  // Rounded: 1.1 seconds are 1100.0000000000002 ms in binary.
  return Math.round(Number(match[1]) * DURATION_UNITS_MS[match[2] as keyof typeof DURATION_UNITS_MS]);
}

/** A duration of at most `maxMs`, in milliseconds; `most` is how messages write that bound. */
export function duration(maxMs: number, most: string) {
  return z.unknown().transform((input, context) => {
    const ms = durationMs(input);
    if (ms !== undefined && Number.isSafeInteger(ms) && ms >= 0 && ms <= maxMs) return ms;
    const why =
      ms !== undefined && ms > maxMs
        ? `must be at most ${most}`
        : 'must be a duration such as 30d, 12h, 15m, 90s or 500ms, or a whole number of milliseconds';
    context.addIssue({ code: 'custom', message: `${why}, not ${shown(input)}` });
    return z.NEVER;
  });
}

export const ttl = duration(TTL_MS_MAX, `${TTL_MS_MAX / DURATION_UNITS_MS.d}d`).default(0);

/** A number of bytes such as `64MiB` or a whole number, at least `min`; `least` is how messages write that bound. */
export function byteSize(min: number, least: string) {
  return z.unknown().transform((input, context) => {
    const bytes = sizeBytes(input);
    if (bytes !== undefined && Number.isSafeInteger(bytes) && bytes >= min) return bytes;
    const why =
      bytes !== undefined && bytes < min
        ? `must be at least ${least}`
        : 'must be a size such as 64MiB, 512KiB or 1GiB, or a whole number of bytes';
    context.addIssue({ code: 'custom', message: `${why}, not ${shown(input)}` });
    return z.NEVER;
  });
}

function sizeBytes(input: unknown): number | undefined {
  if (typeof input === 'number') return input;
  const match = typeof input === 'string' ? /^(\d{1,15}(?:\.\d{1,6})?) ?(KiB|MiB|GiB)$/.exec(input) : null;
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * SIZE_UNITS_BYTES[match[2] as keyof typeof SIZE_UNITS_BYTES]);
}
