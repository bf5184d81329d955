//! Where lines for people go.

#[expect(clippy::print_stdout, reason = "this is the one place that speaks")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
