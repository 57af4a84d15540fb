//! Entries that cannot be read, for operators: what is wrong with each.
//!
//! Anybody who may write into a registry may write garbage, and as much of it as fits. So both the number of
//! findings and the size of each are bounded; what is beyond is not listed, and nothing depends on the list.

use std::collections::BTreeMap;

use turnout_schema::Diagnostic;

use crate::id::SourceName;

/// Findings that are kept of one source. Who has more has one mistake a hundred times.
pub(super) const FINDINGS_MAX: usize = 128;

/// What is kept of a text: key, message, help.
pub(super) const TEXT_BYTES_MAX: usize = 512;

/// What is wrong, by source and key.
#[derive(Clone, Debug, Default)]
pub(super) struct Unreadable {
    found: BTreeMap<SourceName, BTreeMap<String, Diagnostic>>,
}

impl Unreadable {
    /// An entry cannot be read.
    pub(super) fn add(&mut self, source: &SourceName, key: &str, mut found: Diagnostic) {
        found.message = crop(&found.message);
        found.help = crop(&found.help);
        let key = crop(key);
        let findings = self.found.entry(source.clone()).or_default();
        if findings.len() < FINDINGS_MAX || findings.contains_key(&key) {
            findings.insert(key, found);
        }
    }

    /// An entry can be read, or is gone.
    pub(super) fn remove(&mut self, source: &SourceName, key: &str) {
        if let Some(findings) = self.found.get_mut(source)
            && !findings.is_empty()
        {
            findings.remove(&crop(key));
        }
    }

    /// Everything is told anew.
    pub(super) fn clear(&mut self, source: &SourceName) {
        self.found.remove(source);
    }

    /// All findings.
    pub(super) fn all(&self) -> Vec<(SourceName, String, Diagnostic)> {
        let of = |(source, findings): (&SourceName, &BTreeMap<String, Diagnostic>)| {
            let each = |(key, found): (&String, &Diagnostic)| (source.clone(), key.clone(), found.clone());
            findings.iter().map(each).collect::<Vec<_>>()
        };
        self.found.iter().flat_map(of).collect()
    }
}

fn crop(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}
