/** The code blocks of a page. */
import { readFileSync } from 'node:fs';

export interface Block {
  readonly page: string;
  /** Of the block's first line of code. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

/** Every fenced block of a page, in order. */
export function blocksOf(page: string): Block[] {
  const text = readFileSync(page, 'utf8');
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length + 1,
    language: match[1] ?? '',
    code: match[2] ?? '',
  }));
}
