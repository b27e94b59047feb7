/** Text of files and libraries, fit to be shown and stored. */

/** One line without padding, control characters and lone surrogates; at most so many characters. */
export function cleanText(text: string, charactersMax: number): string {
  const line = text
    // eslint-disable-next-line no-control-regex -- NULs and the like are what must go
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replace(/\s+/g, ' ')
    .trim();
  // A cut between the halves of a pair leaves a lone one.
  return line
    .slice(0, charactersMax)
    .replace(/\p{Surrogate}/gu, '')
    .trim();
}

/** The first line that says something, without the name of the library's part. */
export function oneLine(text: string): string {
  const line = text.split('\n').find((part) => part.trim() !== '') ?? text;
  return cleanText(line.replace(/^Input buffer has corrupt header: /, '').replace(/^Vips\w*: /, ''), 200);
}
