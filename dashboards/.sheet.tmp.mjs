import {chromium} from "playwright-core";
import {pathToFileURL} from "node:url";
const [out, w, h, ...files] = process.argv.slice(2);
const b = await chromium.launch({executablePath:"/usr/bin/chromium",args:["--no-sandbox","--disable-gpu"]});
const p = await b.newPage({viewport:{width:1900,height:100}});
const {writeFileSync} = await import("node:fs");
writeFileSync("/tmp/sheet.html", `<body style="margin:0;background:#888;display:flex;flex-wrap:wrap;gap:6px">${files.map(f=>`<div style="width:${w}px;height:${h}px;overflow:hidden;background:#ccc"><img src="${pathToFileURL(f)}" style="width:${w}px"></div>`).join("")}`);
await p.goto("file:///tmp/sheet.html"); await p.screenshot({path:out,fullPage:true}); await b.close();
