//! `ginti import`.

use std::fs;

use super::{ginti, run, text};

const HEADER: &str = "Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Option3 Name,Option3 Value,\
    Variant SKU,Variant Price,Variant Barcode,Image Src";

#[test]
fn products_go_in_with_a_report_and_an_unusable_file_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: &str| fs::write(folder.path().join(name), format!("{HEADER}\n{rows}")).unwrap();
    write("good.csv", "pump,Bicycle pump,Title,Default Title,,,,,PUMP-1,19.90,4006381333931,\n");
    write("empty.csv", "");
    fs::write(folder.path().join("other.csv"), "name,price\npump,3\n").unwrap();
    let import = |file: &str| run(ginti(folder.path(), &["import", "products", file, "--tenant", "acme"]), "");

    let orphan = import("good.csv");
    assert!(!orphan.status.success());
    assert!(text(&orphan.stderr).contains("does not exist"), "{}", text(&orphan.stderr));

    let add =
        ["user", "add", "ann", "--tenant", "acme", "--tenant-name", "Acme", "--role", "admin", "--all-facilities"];
    assert!(run(ginti(folder.path(), &add), "three blind mice").status.success());
    let good = import("good.csv");
    assert!(good.status.success(), "{}", text(&good.stderr));
    assert!(text(&good.stdout).contains("1 rows: 1 products"), "{}", text(&good.stdout));
    assert!(text(&good.stdout).ends_with("1 products are in the catalogue of acme now.\n"), "{}", text(&good.stdout));

    for (file, said) in [
        ("empty.csv", "no row of it could be taken"),
        ("other.csv", "header lacks"),
        ("none.csv", "cannot open none.csv"),
    ] {
        let done = import(file);
        assert!(!done.status.success(), "{file}");
        assert!(text(&done.stderr).contains(said), "{file}: {}", text(&done.stderr));
    }
}
