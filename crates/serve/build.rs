//! The web app is embedded from `dashboards/dist`, which npm builds; without it the API still compiles and serves.

use std::path::Path;

const MISSING: &str = "<!doctype html><html lang=\"zh-CN\"><meta charset=\"utf-8\"><title>驿站</title>\
<p>界面尚未构建：请运行 <code>make demo</code>，或在 dashboards/ 中运行 <code>npm ci</code> 和 <code>npm run build</code> 后重新编译。</p>\
<p>The web app is not built: run <code>make demo</code>, or <code>npm ci</code> and <code>npm run build</code> in dashboards/, and compile again.</p></html>";

fn main() {
    println!("cargo::rerun-if-changed=../../dashboards/dist");
    let dist = Path::new("../../dashboards/dist");
    if !dist.join("index.html").exists() {
        let made = std::fs::create_dir_all(dist).and_then(|()| std::fs::write(dist.join("index.html"), MISSING));
        if let Err(error) = made {
            println!("cargo::error=could not write dashboards/dist/index.html: {error}");
        }
    }
}
