/**
 * Numbers as histories write them. A whole number beyond 2^53 stays the text of its digits: two that a double
 * cannot tell apart must not become one value.
 */

const WHOLE = /^[-+]?\d+$/;
const DECIMAL = /^[-+]?\d+(\.\d*)?([eE][-+]?\d+)?$/;
const HEXADECIMAL = /^[-+]?0[xX][\da-fA-F]+$/;
const RATIO = /^[-+]?\d+\/\d+$/;

/** What JSON means by the token, or undefined where it is no number of JSON. */
export function jsonNumber(token: string): number | string | undefined {
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(token) ? decimal(token) : undefined;
}

/** What EDN means by the token: `42 -1 +7 12N 1.5 2e3 1.5M`; ratios stay texts. Undefined where it is no number. */
export function ednNumber(token: string): number | string | undefined {
  const last = token.charAt(token.length - 1);
  const bare = last === 'N' || last === 'M' ? token.slice(0, -1) : token;
  if (DECIMAL.test(bare)) return decimal(bare);
  if (RATIO.test(token)) return token;
  return HEXADECIMAL.test(token)
    ? Number(token.replace(/^[-+]/, '')) * (token.startsWith('-') ? -1 : 1)
    : undefined;
}

function decimal(token: string): number | string {
  const value = Number(token) || 0;
  return WHOLE.test(token) && !Number.isSafeInteger(value) ? token.replace(/^\+/, '') : value;
}
