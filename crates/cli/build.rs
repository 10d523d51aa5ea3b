//! The pack `campus` is embedded: a change in its folders is a change of the binary.

fn main() {
    for folder in ["pipelines", "policies", "sql"] {
        println!("cargo::rerun-if-changed=../../{folder}");
    }
}
