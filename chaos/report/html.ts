/**
 * What every page of the laboratory is made of. A page is one file that needs nothing else: no network, no fonts, no build. It
 * is a function of plain data, so the same data give the same bytes.
 *
 * Invariant: what comes from data enters markup through `escapeHtml`, and a script through `jsonForScript`. Values of a history are
 * anybody's text.
 */

/** Text as markup that shows that text, also inside a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Data as JSON that cannot end the script element it stands in. */
export function jsonForScript(data: unknown): string {
  return JSON.stringify(data).replace(
    /[<\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** At most so many characters, the last of them saying that there were more. */
export function clip(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1)}…`;
}

/** `1 message`, `2,000 messages` */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? one : many}`;
}

export interface PageParts {
  readonly title: string;
  readonly style: string;
  /** Markup. */
  readonly body: string;
  /** What the script reads, if there is one. */
  readonly data?: unknown;
  readonly script?: string;
}

export function page({ title, style, body, data, script }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${SHARED_STYLE}${style}</style>
</head>
<body>
${body}
${data === undefined ? '' : `<script type="application/json" id="data">${jsonForScript(data)}</script>\n`}${
    script === undefined ? '' : `<script>${script}</script>\n`
  }</body>
</html>
`;
}

/** A verdict in a word and a sign: never by colour alone. */
export function badge(validity: 'valid' | 'invalid' | 'unknown'): string {
  const sign = { valid: '✓', invalid: '✗', unknown: '?' }[validity];
  return `<span class="badge ${validity}"><span aria-hidden="true">${sign}</span> ${validity}</span>`;
}

const SHARED_STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f4f5f7; --line: #c9ced6; --faint: #e6e9ee;
  --text: #14181f; --quiet: #565f6d; --link: #0b57b4;
  --ok: #1b7a3d; --fail: #5f6673; --info: #96560a; --bad: #b3161f; --witness: #7a1fa2; --accent: #0b57b4;
  --ok-fill: #cfeeda; --fail-fill: #e3e6eb; --info-fill: #fbe6c4; --fault-fill: #f6d5c8; --witness-fill: #efdcf7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12151a; --panel: #1b2027; --line: #424b58; --faint: #272e38;
    --text: #e9edf2; --quiet: #a3adba; --link: #7db7ff;
    --ok: #6fd693; --fail: #a7b0bd; --info: #f0b557; --bad: #ff8a85; --witness: #dc9cf7; --accent: #7db7ff;
    --ok-fill: #1d4a2d; --fail-fill: #343c47; --info-fill: #57401a; --fault-fill: #5a3022; --witness-fill: #4b2a5c;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 14px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
a { color: var(--link); }
h1 { font-size: 20px; margin: 0 0 4px; } h2 { font-size: 15px; margin: 16px 0 6px; }
header.top { padding: 14px 20px 10px; max-width: 1200px; }
.quiet { color: var(--quiet); }
code, pre, .mono { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12.5px; }
.badge { display: inline-block; border: 1.5px solid currentColor; border-radius: 4px; padding: 0 7px; font-weight: 600; font-size: 13px; }
.badge.valid { color: var(--ok); } .badge.invalid { color: var(--bad); } .badge.unknown { color: var(--info); }
.reason { font-weight: 600; margin: 6px 0; overflow-wrap: anywhere; }
ul.witness { margin: 6px 0; padding: 8px 12px; list-style: none; background: var(--panel); border-left: 4px solid var(--witness); overflow-wrap: anywhere; }
ul.witness li { white-space: pre-wrap; }
table { border-collapse: collapse; } td, th { text-align: left; padding: 2px 12px 2px 0; vertical-align: top; }
th { color: var(--quiet); font-weight: 600; }
summary { cursor: pointer; } details { margin: 4px 0; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
@media print {
  :root { color-scheme: light; --page: #fff; --panel: #fff; --text: #000; --quiet: #333; --line: #888; --faint: #ccc; --link: #000;
    --ok: #1b7a3d; --fail: #5f6673; --info: #96560a; --bad: #b3161f; --witness: #7a1fa2; --accent: #0b57b4;
    --ok-fill: #cfeeda; --fail-fill: #e3e6eb; --info-fill: #fbe6c4; --fault-fill: #f6d5c8; --witness-fill: #efdcf7; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
`;
