//! Makes cargo look at the migrations folder: `sqlx::migrate!` does not see a file that was added.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
