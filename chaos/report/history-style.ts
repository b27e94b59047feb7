/** How the page of a history looks. */
export const HISTORY_STYLE = `
main { padding: 0 20px 20px; } section.placed { padding: 0 20px 30px; } .none { color: var(--quiet); }
nav.jump { display: flex; flex-wrap: wrap; gap: 4px 8px; margin: 8px 0; }
nav.jump a { border: 2px solid var(--witness); border-radius: 4px; padding: 1px 7px; text-decoration: none; max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 13px; }
.cycle { display: flex; flex-wrap: wrap; gap: 8px 28px; align-items: center; } .cycle > div { flex: 1 1 420px; min-width: 0; }
.cycle td, .cycle li { overflow-wrap: anywhere; } .cycle li { margin: 4px 0; } .cycle td { padding-bottom: 4px; }
svg { display: block; font: 11.5px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
svg text { fill: var(--text); }
.ring circle { fill: var(--witness-fill); stroke: var(--witness); stroke-width: 2; } .ring .name { text-anchor: middle; font-weight: 700; font-size: 14px; }
.ring .arrow { fill: none; stroke: var(--text); stroke-width: 1.6; } .ring .head { fill: var(--text); } .ring .relation { text-anchor: middle; font-weight: 700; fill: var(--bad); }
.history .row { stroke: var(--faint); } .history .life { stroke: var(--line); } .history .event { fill: var(--quiet); white-space: pre; } .history .head { font-weight: 700; }
.history .gap { fill: var(--panel); stroke: var(--line); stroke-dasharray: 2 4; } .history .gaptext { fill: var(--quiet); font-style: italic; }
.history .label { paint-order: stroke; stroke: var(--page); stroke-width: 4px; stroke-linejoin: round; }
.history .place { text-anchor: middle; font-weight: 700; }
.o rect { stroke: var(--ok); fill: var(--ok-fill); stroke-width: 1.5; }
.o.fail rect { stroke: var(--fail); fill: var(--fail-fill); stroke-dasharray: 2 2; }
.o.info rect { stroke: var(--info); fill: var(--info-fill); stroke-dasharray: 6 3; } .o .open { fill: none; stroke: var(--info); stroke-width: 1.5; }
.o.witness rect { stroke: var(--witness); stroke-width: 3; } .o.witness .label { font-weight: 700; fill: var(--witness); }
.o.blocked rect { stroke: var(--bad); stroke-width: 4; fill: var(--fault-fill); } .o.blocked .label { font-weight: 700; fill: var(--bad); }
.o:target rect { stroke-width: 5; } .o:target .label { text-decoration: underline; }
@media print { .o, .row { break-inside: avoid; } }
`;
