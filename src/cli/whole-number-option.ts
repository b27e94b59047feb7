/** Options that are whole numbers within bounds. */
import { TrefoilError } from '../core/errors.js';

/** A yargs option that takes a whole number. Its `coerce` throws `BadRequest` outside the bounds. */
export function wholeNumberOption(
  name: string,
  describe: string,
  [least, most, byDefault]: readonly [number, number, number],
) {
  return {
    describe,
    type: 'string',
    requiresArg: true,
    default: String(byDefault),
    coerce: (text: string | number) => {
      const value = Number(text);
      if (!/^\d{1,9}$/.test(String(text)) || value < least || value > most)
        throw new TrefoilError(
          'BadRequest',
          `--${name} must be a whole number from ${least} to ${most}, not "${text}"`,
        );
      return value;
    },
  } as const;
}
