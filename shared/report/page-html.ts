import { createHash } from 'node:crypto'
import { Html, html } from './html-text.ts'

/** Every page is one file: its style inside, no script, no picture or letter from anywhere else. */
const STYLE = `:root{color-scheme:light;--ink:#1c2126;--soft:#59636e;--line:#d3d8de;--paper:#fff;--run:#1f5fa8;--band:#e4eef0;--base:#3d7d80;--fail:#a8261f;--drift:#8f6400;--pass:#1d6b3a;--none:#555e68}
*{box-sizing:border-box}body{margin:0 auto;padding:24px;max-width:1040px;font:15px/1.5 system-ui,"Segoe UI","DejaVu Sans",sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:32px 0 8px;border-bottom:1px solid var(--line);padding-bottom:4px}h3{font-size:15px;margin:20px 0 4px}
p{margin:4px 0}.soft{color:var(--soft)}.verdict{display:inline-block;padding:4px 12px;margin:8px 0;border:2px solid;border-radius:4px;font-weight:600;font-size:17px}
.PASS{color:var(--pass)}.FAIL{color:var(--fail)}.PASS_WITH_DRIFT{color:var(--drift)}.NO_TEST,.NO_BASELINE,.NO_METRICS{color:var(--none)}
table{border-collapse:collapse;width:100%;margin:8px 0}th,td{text-align:left;padding:4px 12px 4px 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600;color:var(--soft);white-space:nowrap}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}ul{margin:4px 0;padding-left:20px}li{overflow-wrap:anywhere}
svg{width:100%;height:auto;display:block;font-size:11px}svg text{fill:var(--soft);paint-order:stroke;stroke:var(--paper);stroke-width:3px}.band{fill:var(--band)}.edge{stroke:var(--base);stroke-dasharray:3 3}.base{stroke:var(--base);stroke-width:1.5}
.run{fill:none;stroke:var(--run);stroke-width:1.4;stroke-linejoin:round}.before{fill:none;stroke:var(--base);stroke-width:1;opacity:.55}.bar{fill:var(--none)}.bar.FAIL{fill:var(--fail)}.bar.DRIFT{fill:var(--drift)}.limit{stroke:var(--ink);stroke-dasharray:4 3}
code{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:13px;overflow-wrap:anywhere}footer{margin-top:40px;color:var(--soft);font-size:13px}
@media print{body{padding:0}h2{break-after:avoid}svg,tr{break-inside:avoid}}`

/** A page that needs nothing and may do nothing: its policy lets through its own style and no more. `more` is style of its kind. */
export function pageHtml(title: string, body: Html, more = ''): string {
  const style = STYLE + more
  const hash = createHash('sha256').update(style).digest('base64')
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Html(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
${body}
</body>
</html>
`.text
}
