/** The look of a report: on screens, dark ones too, and on paper. */

/** CSS of the one file. */
export const REPORT_STYLE = `
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#dde2e9;--page:#f4f6f9;--card:#fff;--good:#0b7a4b;--bad:#b3261e;--warn:#8a5a00;--good-soft:#e3f4ec;--bad-soft:#fbe7e5;--warn-soft:#fbf0d9;
--c0:#d55e00;--c1:#0072b2;--c2:#009e73;--c3:#cc79a7;--c4:#56b4e9;--c5:#e69f00;--c6:#7a6fbf;--c7:#8a8a3a;--nowhere:#6b7280;--hurt:#b3261e;--held:#8a5a00;--back:#0072b2}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b5;--line:#2d3746;--page:#10151c;--card:#182029;--good:#5fd3a0;--bad:#ff8a80;--warn:#f0c060;--good-soft:#143527;--bad-soft:#3d1f1d;--warn-soft:#382c12;
--c0:#f08a3c;--c1:#4aa8e0;--c2:#3cc79b;--c3:#e3a3c6;--c4:#8accf2;--c5:#f2bd4d;--c6:#aaa1e6;--c7:#bcbc6a;--nowhere:#9ca3af;--hurt:#ff8a80;--held:#f0c060;--back:#4aa8e0}}
*{box-sizing:border-box}
html{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;color:var(--ink);background:var(--page)}
body{margin:0 auto;max-width:1080px;padding:32px 20px 64px}
h1{font-size:2rem;line-height:1.2;margin:0;letter-spacing:-.01em}
h2{font-size:1.2rem;margin:36px 0 12px}
h3{font-size:.93rem;margin:0 0 6px;font-weight:600;overflow-wrap:anywhere}
p{margin:6px 0}.soft{color:var(--soft)}.eyebrow{font-size:.8rem;letter-spacing:.08em;text-transform:uppercase;color:var(--soft);margin:0 0 6px}
header{display:grid;grid-template-columns:1fr auto;gap:8px 24px;align-items:start}
.outcome{font-size:1.13rem;font-weight:700;border-radius:999px;padding:6px 18px;border:1.5px solid currentColor;white-space:nowrap}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.outcome.good{background:var(--good-soft)}.outcome.bad{background:var(--bad-soft)}.outcome.warn{background:var(--warn-soft)}
.why{font-size:1.13rem;margin:14px 0 0;max-width:70ch}
.meta{margin:14px 0 0;display:flex;flex-wrap:wrap;gap:4px 22px;font-size:.9rem;color:var(--soft)}.meta b{color:var(--ink);font-weight:600}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;margin:24px 0 0}
.tile,.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px}
.tile .name{font-size:.83rem;color:var(--soft)}.tile .value{font-size:1.73rem;font-weight:650;letter-spacing:-.01em;line-height:1.25;font-variant-numeric:tabular-nums}.tile .note{font-size:.83rem;color:var(--soft)}
figure{margin:0}figcaption{margin:0 0 8px;font-weight:600;font-size:.93rem}
.card+.card,.card+.pair,.pair+.card{margin-top:12px}.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:12px}.pair .card+.card{margin-top:0}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:11px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;fill:var(--soft)}
.pair svg text{font-size:12.5px}
svg .grid{stroke:var(--line);stroke-width:1}svg .axis{stroke:var(--soft)}svg .edge{stroke:var(--line);stroke-dasharray:2 3}
svg .band{fill:transparent}svg .band.hurt{fill:var(--hurt);fill-opacity:.13}svg .band.held{fill:var(--held);fill-opacity:.08}svg .band.back{fill:var(--back);fill-opacity:.09}
svg .phase{font-weight:600}svg .area{fill-opacity:.82}svg .failed{fill:var(--bad)}svg .unknown{fill:var(--card);fill-opacity:.78;stroke:var(--soft);stroke-width:.6;stroke-dasharray:2 2}
svg .rto rect{fill:var(--ink);fill-opacity:.2;stroke:var(--ink);stroke-width:1}svg .rto text{fill:var(--ink);font-weight:700;paint-order:stroke;stroke:var(--card);stroke-width:3px}
svg .line{fill:none;stroke-width:2;stroke-linejoin:round}svg .desired{stroke-dasharray:6 4;stroke-width:1.4;opacity:.85}svg .acked{stroke-width:1.2;opacity:.6}svg .observed{stroke-width:2.4}
svg .sample{stroke:var(--soft);stroke-width:1}svg .passed{fill:var(--good)}svg .mark{fill:none;stroke:var(--bad);stroke-width:2.2}svg .mark.noData{stroke:var(--warn)}
.strip{display:flex;flex-wrap:wrap;gap:2px;border-radius:8px;overflow:hidden;margin:0 0 14px}.strip div{padding:6px 8px;font-size:.8rem;min-width:76px;overflow:hidden;white-space:nowrap;background:var(--line)}
.strip .hurt{background:var(--bad-soft)}.strip .held{background:var(--warn-soft)}.strip .back{background:color-mix(in srgb,var(--back) 18%,var(--card))}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:8px 0 0;padding:0;list-style:none;font-size:.83rem;color:var(--soft)}
.legend i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px;vertical-align:-1px}.legend svg{display:inline-block;width:26px;height:8px;vertical-align:2px;margin-right:6px}.legend .line{stroke:var(--soft)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;font-size:.93rem;padding:0 0 6px}th,td{text-align:left;padding:6px 12px 6px 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
thead th{font-size:.8rem;color:var(--soft);font-weight:600;white-space:nowrap}tbody th{font-weight:500}tbody tr:last-child>*{border-bottom:0}.n{text-align:right}.n+:not(.n){padding-left:14px}td.time{white-space:nowrap;color:var(--soft)}td.time+td{overflow-wrap:normal}
pre,code{font:.83rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}code{overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:0;font-size:.9rem}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:36px;font-size:.83rem;color:var(--soft)}
@media (max-width:640px){header{grid-template-columns:1fr}.outcome{justify-self:start}}
@media print{@page{size:A4;margin:14mm}:root{color-scheme:light;--ink:#111;--soft:#4b5563;--line:#d6dbe2;--page:#fff;--card:#fff;--good:#0b7a4b;--bad:#b3261e;--warn:#8a5a00;--good-soft:#e3f4ec;--bad-soft:#fbe7e5;--warn-soft:#fbf0d9;--c0:#d55e00;--c1:#0072b2;--c2:#009e73;--c3:#cc79a7;--c4:#56b4e9;--c5:#e69f00;--c6:#7a6fbf;--c7:#8a8a3a;--nowhere:#6b7280;--hurt:#b3261e;--held:#8a5a00;--back:#0072b2}
html{font-size:11px;print-color-adjust:exact;-webkit-print-color-adjust:exact}body{max-width:none;padding:0}h2{break-after:avoid;margin:14px 0 6px}
.tile,.card{break-inside:avoid;padding:8px 12px;border-radius:8px}.card+.card,.card+.pair,.pair+.card{margin-top:8px}.tall{break-inside:auto}tr{break-inside:avoid}th,td{padding:3px 10px 3px 0}
.tiles{grid-template-columns:repeat(5,1fr);gap:8px;margin-top:14px}.pair{grid-template-columns:1fr 1fr;gap:8px}.pair:has(>:nth-child(3)){grid-template-columns:1fr 1fr 1fr}.strip{margin:0 0 6px}
p{margin:4px 0}.soft{font-size:.9rem}header{gap:2px 24px}.why,.meta{margin-top:8px}.tiles{margin-top:10px}.wide svg text{font-size:13px}.pair:has(>:nth-child(3)) svg text{font-size:15px}.tall pre{columns:3}}
`;
