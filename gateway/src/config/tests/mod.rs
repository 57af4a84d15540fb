//! Files as users write them, and the exact words they get back.
//!
//! `bad` and `unfit` have the mistakes, one file each; `other` those about other registries;
//! `good` what is read and which source wins; `any` that no text
//! can make the reader panic or point outside of itself.

mod any;
mod bad;
mod good;
mod other;
mod unfit;

use expect_test::Expect;

use super::{File, Loaded, Mistakes, Sources, read};

fn sources(text: &str) -> Sources {
    let file = File { path: "turnout.yaml".into(), text: text.to_owned() };
    Sources { file: Some(file), ..Sources::default() }
}

fn pairs(env: &[(&str, &str)]) -> Vec<(String, String)> {
    env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn read_text(text: &str) -> Result<Loaded, Mistakes> {
    read(&sources(text))
}

/// The file has mistakes, and these are the words.
fn check(text: &str, expected: Expect) {
    match read_text(text) {
        Ok(loaded) => panic!("no mistake found in {text:?}: {:?}", loaded.config),
        Err(mistakes) => expected.assert_eq(&mistakes.to_string()),
    }
}
