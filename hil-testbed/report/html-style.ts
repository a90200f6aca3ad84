/** Style of a campaign beside that of every report. Contrast of text on paper is 4.5 or more, of marks 3 or more. */
export const CAMPAIGN_STYLE = `
h3{font-size:16px}h4{font-size:14px;margin:12px 0 2px}a{color:#1f5fa8}summary{cursor:pointer;padding:6px 0;border-bottom:1px solid var(--line)}summary h3{display:inline;margin:0;font-weight:500}
section.case{margin:20px 0 28px;padding:0 0 0 14px;border-left:4px solid var(--line)}section.case.bad{border-left-color:var(--fail)}
.is{font-weight:600;white-space:nowrap}.is.PASS,.is.met,.is.better{color:var(--pass)}.is.MARGINAL,.is.XFAIL,.is.digest_changed{color:var(--drift)}.is.FAIL,.is.missed,.is.worse{color:var(--fail)}
.is.INCONCLUSIVE,.is.ERROR,.is.ABORTED,.is.SKIPPED,.is.unknown,.is.new,.is.gone{color:var(--none)}
td.w{white-space:nowrap;max-width:16ch;overflow:hidden;text-overflow:ellipsis}.counts{display:flex;flex-wrap:wrap;gap:8px 20px;margin:8px 0;padding:0;list-style:none}ul.plain{list-style:none;padding:0;margin:0}pre{white-space:pre-wrap;overflow-wrap:anywhere;font:12px/1.45 ui-monospace,"DejaVu Sans Mono",monospace;background:#f4f6f8;padding:8px;margin:4px 0}
td code{white-space:pre-wrap}td.n{white-space:nowrap}th.what{width:40%}table.tight th,table.tight td{padding:2px 10px 2px 0}
.timeline{font-size:11px;margin:8px 0}.timeline .name{fill:var(--ink)}.timeline .frame{fill:none;stroke:var(--line)}.timeline .tick,.timeline .rail{stroke:var(--line)}
.timeline .truth{fill:none;stroke:#1c2126;stroke-width:2.6;stroke-linejoin:round}.timeline .told{fill:none;stroke-width:1.1;stroke-linejoin:round}
.timeline .told-0{stroke:#1f5fa8}.timeline .told-1{stroke:#a8501f;stroke-dasharray:5 2}.timeline .told-2{stroke:#5b3fa0;stroke-dasharray:2 2}.timeline .told-3{stroke:#3d7d3f;stroke-dasharray:8 3 2 3}
.timeline .harm{stroke:var(--fail);stroke-dasharray:6 3;stroke-width:1.4}.timeline .mark{stroke:#5b3fa0;stroke-dasharray:2 3}.timeline .most{stroke:var(--ink);stroke-width:1.4}
.timeline .span{stroke:#fff;stroke-width:.5}.timeline .good{fill:#4b9467}.timeline .drift{fill:#f0cf86}.timeline .bad{fill:#eeb0ab}.timeline .unknown{fill:#c3cad2}.timeline .fault{fill:#d3c5f2}.timeline .step{fill:#b5d0ee}
.timeline .word{fill:var(--ink);stroke:none}
@media print{details::details-content{content-visibility:visible;height:auto}section.case{break-inside:auto}h3,h4{break-after:avoid}a{color:inherit;text-decoration:none}}`
