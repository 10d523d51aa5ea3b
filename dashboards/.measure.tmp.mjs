import {chromium} from "playwright-core";
const b = await chromium.launch({executablePath:"/usr/bin/chromium",args:["--no-sandbox","--disable-gpu"]});
const c = await b.newContext({colorScheme:"dark"}); const q = await c.newPage(); const at="http://127.0.0.1:8137"; await q.goto(at+"/login"); await q.fill("#account","administrator"); await q.fill("#password","demo"); await q.keyboard.press("Enter"); await q.waitForURL("**/cockpit"); await q.waitForTimeout(1500);
await q.pdf({path:"/tmp/cockpit.pdf",preferCSSPageSize:true});
await c.setOffline(true); await q.click("nav a[href='/tickets']"); await q.waitForTimeout(1500); console.log("offline:", (await q.textContent("#main")).trim().slice(0,80));
await c.setOffline(false); await q.locator("#main button").click(); await q.waitForTimeout(2500); console.log(q.url(),(await q.textContent("#main")).trim().slice(0,60));
await b.close();
