/** How the trace page looks. Outcomes and fates differ by sign and stroke as well as by colour. */
export const TRACE_STYLE = `
nav.jump { display: flex; flex-wrap: wrap; gap: 4px 8px; margin: 6px 0; padding: 0; list-style: none; }
nav.jump a { border: 1px solid var(--line); border-radius: 4px; padding: 1px 7px; text-decoration: none; max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 13px; }
nav.jump a.w { border-color: var(--witness); border-width: 2px; }
.bars { position: sticky; top: 0; left: 0; z-index: 2; background: var(--page); }
.tools { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: center; padding: 6px 20px; background: var(--panel); border-block: 1px solid var(--line); font-size: 13px; }
.tools label { white-space: nowrap; } .tools fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: center; }
.tools button, .tools select { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line); border-radius: 4px; padding: 1px 8px; max-width: 200px; }
#zoom { width: 110px; vertical-align: middle; } #scale { display: inline-block; min-width: 76px; }
#thinned { color: var(--bad); font-weight: 600; } #thinned:empty { display: none; }
#heads { position: relative; height: 26px; border-bottom: 1px solid var(--line); }
.head { position: absolute; top: 3px; text-align: right; padding-right: 6px; overflow: hidden; text-overflow: ellipsis; color: var(--quiet); font-size: 13px; }
.head:first-child, .head:nth-child(2) { text-align: left; padding-left: 8px; } .head.node { text-align: center; padding-right: 0; } .head b { color: var(--text); }
.work { display: flex; align-items: flex-start; gap: 8px; width: max-content; min-width: 100%; }
#stage { position: relative; flex: none; }
#diagram { position: absolute; left: 0; display: block; font: 11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
#minimap { position: sticky; top: 104px; right: 8px; margin-left: auto; flex: none; width: 92px; height: calc(100vh - 112px); background: var(--panel); border: 1px solid var(--line); border-radius: 4px; cursor: pointer; touch-action: none; }
#details { position: fixed; left: 12px; bottom: 12px; z-index: 3; max-width: min(560px, calc(100vw - 140px)); max-height: 45vh; overflow: auto; background: var(--page); border: 1.5px solid var(--accent); border-radius: 6px; padding: 8px 12px; font: 12.5px/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; box-shadow: 0 2px 10px #0004; }
#diagram text { fill: var(--text); paint-order: stroke; stroke: var(--page); stroke-width: 3px; stroke-linejoin: round; }
#diagram .grid { stroke: var(--faint); } #diagram .tick { text-anchor: end; fill: var(--quiet); }
#diagram .fold { fill: var(--panel); stroke: var(--line); stroke-dasharray: 2 4; } #diagram .foldtext { fill: var(--quiet); font-style: italic; }
#diagram .life { stroke: var(--quiet); stroke-width: 1.6; } #diagram .life.off { stroke: var(--line); stroke-width: 1; stroke-dasharray: 1 5; }
#diagram .paused { fill: var(--info-fill); stroke: var(--info); stroke-dasharray: 3 2; }
#diagram .mark circle { fill: var(--page); stroke: var(--quiet); } #diagram .mark .sign { text-anchor: middle; font-size: 9px; stroke: none; }
#diagram .mark.crash circle, #diagram .mark.power-off circle { stroke: var(--bad); fill: var(--fault-fill); stroke-width: 1.5; }
#diagram .marktext { font-weight: 600; } #diagram .left { text-anchor: end; }
#diagram .band { fill: var(--fault-fill); opacity: .55; } #diagram .fault { fill: var(--bad); }
#diagram .leader { stroke: var(--line); } #diagram .faulttext { fill: var(--bad); font-weight: 600; } #diagram .faultend { fill: var(--quiet); }
#diagram .m .wire { stroke: var(--accent); } #diagram .m .tip { fill: var(--accent); } #diagram .m .label { text-anchor: middle; }
#diagram .m.replication .wire { stroke: var(--text); } #diagram .m.replication .tip { fill: var(--text); }
#diagram .m.anti-entropy .wire, #diagram .m.connection .wire { stroke: var(--quiet); } #diagram .m.anti-entropy .tip, #diagram .m.connection .tip { fill: var(--quiet); }
#diagram .m.gone .wire, #diagram .m.corrupted .wire { stroke: var(--bad); stroke-dasharray: 5 3; } #diagram .m.corrupted .tip { fill: var(--bad); }
#diagram .m.duplicate .wire { stroke-dasharray: 1.5 3; } #diagram .m.late .wire { stroke-dasharray: 9 3 2 3; }
#diagram .m .cross { stroke: var(--bad); stroke-width: 2.5; fill: none; } #diagram .m.gone .label, #diagram .m.corrupted .label { fill: var(--bad); }
#diagram .hit { stroke: transparent; stroke-width: 9; fill: transparent; } #diagram .m, #diagram .o, #diagram .f { cursor: pointer; }
#diagram .m:hover .wire, #diagram .m.chosen .wire { stroke-width: 3; }
#diagram .o .bar { stroke: var(--ok); fill: var(--ok-fill); stroke-width: 1.5; } #diagram .o .label { text-anchor: end; }
#diagram .o.fail .bar { stroke: var(--fail); fill: var(--fail-fill); stroke-dasharray: 2 2; }
#diagram .o.info .bar { stroke: var(--info); fill: var(--info-fill); stroke-dasharray: 6 3; }
#diagram .o.witness .bar { stroke: var(--witness); stroke-width: 3; } #diagram .o.witness .label { fill: var(--witness); font-weight: 700; }
#diagram .o.chosen .bar, #diagram .o:hover .bar { stroke-width: 3.5; } #diagram .o.chosen .label { font-weight: 700; text-decoration: underline; }
@media print {
  .tools, #minimap, #details, nav.jump { display: none; } .bars { position: static; }
}
`;
