//! The table of settings in `docs/configuration.md`.
//!
//! Only the test that compares the page with the table needs it: the page is a file of the repository,
//! and `UPDATE_EXPECT=1` rewrites its table.

use crate::config::settings::{Change, Fallback, SETTINGS};

/// Its rows as Markdown.
pub(in crate::config) fn reference() -> String {
    let mut out = "| setting | takes | default | takes effect | |\n|---|---|---|---|---|\n".to_owned();
    for setting in SETTINGS {
        let default = match setting.fallback {
            Fallback::Value("") => "none".to_owned(),
            Fallback::Value(text) => format!("`{text}`"),
            Fallback::Unset { .. } => "not set".to_owned(),
        };
        let change = match setting.change {
            Change::Reload => "reload",
            Change::Restart => "restart",
        };
        let path = setting.path.replace('*', "NAME");
        let takes = setting.kind.describe();
        out.push_str(&format!("| `{path}` | {takes} | {default} | {change} | {} |\n", setting.help));
    }
    out
}
