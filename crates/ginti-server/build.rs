//! Makes a release build notice a web app that was built after the server's last build.
//!
//! The app's files are compiled into release builds. Debug builds read them from the disk and need no rebuild.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rerun-if-changed=../../web/app/dist");
    }
}
