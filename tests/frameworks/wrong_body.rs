//! The compile error of a body that cannot be made from bytes.

use tokio::process::Command;

#[tokio::test]
async fn compile_error_names_wrap_body() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/wrong/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--manifest-path", manifest])
        .args([
            "--target-dir",
            concat!(env!("CARGO_TARGET_TMPDIR"), "/wrong"),
        ])
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it compiles");
    assert!(text.contains("the layer cannot make a `"), "{text}");
    assert!(
        text.contains("call `.wrap_body()` on the `EventLayer`"),
        "{text}"
    );
}
