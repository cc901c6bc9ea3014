"""The look of the page: light, dark and on paper. Contrast is 4.5 to 1 or better in each; no colour speaks alone."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;
--page:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--panel:#f6f8fa;--link:#0550ae;
--good:#116329;--good-bg:#e6f4ea;--warn:#7a4a00;--warn-bg:#fff3d6;--bad:#a40e26;--bad-bg:#ffebe9;
--note:#0550ae;--note-bg:#e8f1fb;--v1:#8a8f98;--on-v1:#000;--off:#fff;--v2:#1a7f37;--on-v2:#fff;--hatch:#bc4c00;--one:#0550ae;--two:#8250df}
@media (prefers-color-scheme:dark){:root{
--page:#0d1117;--ink:#e6edf3;--soft:#9da7b3;--line:#30363d;--panel:#161b22;--link:#79c0ff;
--good:#7ee2a0;--good-bg:#12261a;--warn:#f2cc60;--warn-bg:#2b2111;--bad:#ffaba8;--bad-bg:#31171b;
--note:#a5d6ff;--note-bg:#11233a;--v1:#8b949e;--on-v1:#000;--off:#0d1117;--v2:#3fb950;--on-v2:#000;--hatch:#f0883e;--one:#79c0ff;--two:#d2a8ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",sans-serif;
overflow-wrap:anywhere}
main,header,footer{max-width:62rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.5rem}
.over{margin:0 0 .75rem;color:var(--soft);font-size:.875rem}
.verdict{border:1px solid;border-left-width:.5rem;border-radius:.5rem;padding:1.1rem 1.4rem 1.2rem;margin:0 0 1.5rem}
.verdict h1{font-size:1.6rem;line-height:1.25;margin:.15rem 0 .6rem;font-weight:650}
.verdict p{margin:.35rem 0;color:var(--ink)}
.word{font-size:.8125rem;font-weight:650;letter-spacing:.06em;text-transform:uppercase;margin:0}
p.word{color:inherit}
.good{color:var(--good);background:var(--good-bg)}.warn{color:var(--warn);background:var(--warn-bg)}
.bad{color:var(--bad);background:var(--bad-bg)}.note{color:var(--note);background:var(--note-bg)}
.named{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.9rem 1.5rem;margin:0 0 1rem}
.named dt{color:var(--soft);font-size:.8125rem}.named dd{margin:0}
section{margin:2.75rem 0}
h2{font-size:1.25rem;line-height:1.3;margin:0 0 .9rem;padding-bottom:.4rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:2rem 0 .6rem}
p{margin:.6rem 0}
ul,ol{margin:.5rem 0;padding-left:1.35rem}li{margin:.45rem 0}
code{font:.8125rem/1.5 ui-monospace,SFMono-Regular,Consolas,"Liberation Mono",monospace}
.line{display:block}
li code.line,.next code{background:var(--panel);border:1px solid var(--line);border-radius:.3rem;padding:.3rem .55rem;
margin-top:.3rem}
.next code{display:inline-block;color:var(--ink)}
table{border-collapse:collapse;width:100%;font-size:.9rem;margin:.75rem 0 1.25rem}
caption{text-align:left;color:var(--soft);font-size:.8125rem;padding-bottom:.35rem}
th,td{text-align:left;vertical-align:top;padding:.5rem .9rem .5rem 0;min-width:5.5rem;
border-bottom:1px solid var(--line)}
thead th{color:var(--soft);font-weight:500;font-size:.8125rem}
tbody th{font-weight:600;min-width:7rem}
time{white-space:nowrap;font-variant-numeric:tabular-nums}th time{font-weight:400}
figure{margin:1rem 0 1.25rem}
figcaption{color:var(--soft);font-size:.875rem;margin-top:.5rem}
svg{display:block;width:100%;overflow:visible}
svg text{fill:var(--ink);font:.75rem system-ui,-apple-system,"Segoe UI",sans-serif}
svg text.soft{fill:var(--soft)}svg text.on-v1{fill:var(--on-v1)}svg text.on-v2{fill:var(--on-v2)}
.v1{fill:var(--v1)}.v2{fill:var(--v2)}.off{fill:var(--off);stroke:var(--soft);stroke-dasharray:4 3}
.hatched{stroke:var(--hatch)}.stripe{stroke:var(--hatch);stroke-width:3}
.axis{stroke:var(--line)}.run{fill:var(--soft)}
.one,.two{fill:none;stroke:var(--one);stroke-width:2}.two{stroke:var(--two);stroke-dasharray:6 4}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.25rem;list-style:none;padding:0;margin:.5rem 0 0;font-size:.8125rem}
.legend li{display:flex;align-items:center;gap:.45rem;margin:0}
.legend svg{width:1.75rem;height:.75rem;flex:none}
footer{color:var(--soft);font-size:.8125rem;padding-bottom:3rem}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
@media (max-width:40rem){header{padding-top:1.25rem}.verdict{padding:.9rem 1rem}.verdict h1{font-size:1.3rem}
section{margin:2rem 0}
table,caption,tbody,tr,th,td{display:block}th,td{padding:0;border:0}table th,table td{min-width:0}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tbody tr{padding:.6rem 0;border-bottom:1px solid var(--line)}td{margin-top:.25rem}
td::before{content:attr(data-label);display:block;color:var(--soft);font-size:.75rem}}
@media print{:root{color-scheme:light;
--page:#fff;--ink:#000;--soft:#444;--line:#bbb;--panel:#f4f4f4;--link:#000;--good:#116329;--good-bg:#fff;--warn:#7a4a00;
--warn-bg:#fff;--bad:#a40e26;--bad-bg:#fff;--note:#0550ae;--note-bg:#fff;--v1:#8a8f98;--on-v1:#000;--off:#fff;--v2:#1a7f37;--on-v2:#fff;
--hatch:#bc4c00;--one:#0550ae;--two:#8250df}
@page{margin:16mm 14mm}
body{font-size:10pt}header{padding-top:0}main,header,footer{max-width:none;padding:0}
section{margin:1.4rem 0}h2,h3,caption{break-after:avoid}tr,figure,.verdict,li{break-inside:avoid}
svg{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
