//! Does any entry of an etcd that others write to become an instance of the service that its key names, or
//! a short reason why it does not?
//!
//! The input is a digit that picks the layout, the key up to the end of the line, and the value.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use turnout_control::layout::problem::ERROR_BYTES_MAX;
use turnout_control::layout::{Content, Entry, Field, Layout, Said, Template};
use turnout_control::registration::Terms;

static LAYOUTS: LazyLock<[Layout; 10]> = LazyLock::new(|| {
    let plain = |key: &str, content| Layout::Plain(Template::new(key, content).expect("it is a template"));
    let pointers = [
        (Field::Version, "/build/version"),
        (Field::Host, "/net/0/ip"),
        (Field::Port, "/net/0/port"),
        (Field::Weight, "/weight"),
        (Field::Meta, "/labels"),
    ];
    let pointers = pointers.into_iter().map(|(field, pointer)| (field, pointer.to_owned())).collect();
    [
        Layout::Native,
        Layout::Kitex,
        Layout::Kratos,
        Layout::GoZero,
        Layout::GoMicro,
        Layout::GrpcNaming,
        Layout::Todolist,
        plain("{service}/{id}", Content::Json(pointers)),
        plain("{service}/{version}/{id}", Content::Text),
        plain("{service}/{host}/{port}", Content::Unread),
    ]
});

static TERMS: LazyLock<Terms> = LazyLock::new(|| Terms {
    allow_cidrs: ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("it is a network")).to_vec(),
    ttl_s: 15,
});

fuzz_target!(|input: &[u8]| {
    let Some((digit, rest)) = input.split_first() else { return };
    let layout = &LAYOUTS[usize::from(digit.wrapping_sub(b'0')) % LAYOUTS.len()];
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (key, value) = rest.split_at(end);
    let value = value.get(1..).unwrap_or_default();
    match layout.read(&Entry { prefix: "", key, value }, &TERMS) {
        Err(error) => short(&error.to_string()),
        Ok(reading) => {
            reading.findings.iter().for_each(|finding| short(&finding.to_string()));
            match &reading.said {
                Said::Ignored(ignored) => short(&ignored.reason()),
                Said::Versioned(registration) => named(key, registration.instance.service.as_str()),
                Said::Unversioned(instance) => {
                    short(&instance.finding().to_string());
                    named(key, instance.service().as_str());
                }
            }
        }
    }
});

fn short(text: &str) {
    assert!(text.len() <= ERROR_BYTES_MAX && !text.contains('\n'), "{text:?}");
}

fn named(key: &[u8], service: &str) {
    let mut pieces = key.split(|byte| *byte == b'/');
    assert!(pieces.any(|piece| piece == service.as_bytes()), "{service}");
}
