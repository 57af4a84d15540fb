//! Bytes from anybody: an answer comes, it is short, and it is about the service that the key names.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{layouts, terms};
use crate::layout::problem::ERROR_BYTES_MAX;
use crate::layout::{Entry, Layout, Reading, Said};

/// Texts that get far into the layouts, to be broken.
const VALUES: [&str; 7] = [
    r#"{"version":"1.5.0","endpoints":[{"url":"grpc://10.0.0.7:1","zone":"a"}],"meta":{"a":"b"},"weight":7}"#,
    r#"{"network":"tcp","address":"10.0.0.7:1","weight":10,"tags":{"a":"b"}}"#,
    r#"{"id":"7","name":"cart","version":"1.5.0","metadata":{"weight":"7"},"endpoints":["grpc://10.0.0.7:1"]}"#,
    r#"{"name":"cart","version":"1.5.0","nodes":[{"id":"7","address":"10.0.0.7:1","metadata":{"protocol":"grpc"}}]}"#,
    r#"{"Op":0,"Addr":"10.0.0.7:1","Metadata":{"a":1}}"#,
    r#"{"build":{"version":"1.5.0"},"net":[{"ip":"10.0.0.7","port":1}],"weight":"7","labels":{"a":"b"}}"#,
    "10.0.0.7:1",
];

fn check(layout: &Layout, entry: &Entry<'_>) {
    match layout.read(entry, &terms()) {
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() <= ERROR_BYTES_MAX, "{} bytes: {text}", text.len());
            assert!(!text.chars().any(|c| c == '\n'), "{text:?}");
        }
        Ok(reading) => check_reading(entry, &reading),
    }
    assert_eq!(layout.read(entry, &terms()), layout.read(entry, &terms()));
}

fn check_reading(entry: &Entry<'_>, reading: &Reading) {
    let service = match &reading.said {
        Said::Versioned(registration) => registration.instance.service.as_str(),
        Said::Unversioned(instance) => {
            assert!(instance.finding().to_string().len() <= ERROR_BYTES_MAX);
            instance.service().as_str()
        }
        Said::Ignored(ignored) => {
            assert!(ignored.reason().len() <= ERROR_BYTES_MAX);
            return;
        }
    };
    let key = str::from_utf8(entry.key).unwrap();
    assert!(key.split('/').any(|piece| piece == service), "{service} is not in {key}");
    let findings: usize = reading.findings.iter().map(|finding| finding.to_string().len()).sum();
    assert!(findings <= 2 * ERROR_BYTES_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_do_harm(key in vec(any::<u8>(), 0..64), value in vec(any::<u8>(), 0..256)) {
        for (layout, prefix) in layouts() {
            check(&layout, &Entry { prefix, key: &key, value: &value });
            check(&layout, &Entry { prefix: "", key: &key, value: &value });
            check(&layout, &Entry { prefix: "", key: b"services/cart/7", value: &value });
        }
    }

    #[test]
    fn no_broken_value_does_harm(at in any::<Index>(), changes in vec((any::<Index>(), any::<u8>()), 0..4), key in "(/services/)?cart/([0-9.:]{1,12}|7)/?") {
        let mut value = at.get(&VALUES).as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(value.len());
            value[place] = byte;
        }
        for (layout, prefix) in layouts() {
            let key = format!("{prefix}/{key}");
            check(&layout, &Entry { prefix, key: key.as_bytes(), value: &value });
        }
    }

    #[test]
    fn long_texts_make_no_long_errors(text in "\\PC{1,4}", times in 1usize..400) {
        let long = text.repeat(times);
        for value in VALUES {
            for part in ["10.0.0.7:1", "grpc", "1.5.0", "cart", "tcp", "\"7\"", "\"a\""] {
                let quoted = serde_json::to_string(&long).unwrap();
                let inner = if part.starts_with('"') { &quoted } else { &quoted[1..quoted.len() - 1] };
                let value = value.replace(part, inner);
                for (layout, prefix) in layouts() {
                    let key = format!("{prefix}/services/cart/{long}");
                    check(&layout, &Entry { prefix, key: key.as_bytes(), value: value.as_bytes() });
                    let key = format!("{prefix}/cart/7");
                    check(&layout, &Entry { prefix, key: key.as_bytes(), value: value.as_bytes() });
                }
            }
        }
    }
}

#[test]
fn what_is_nested_or_large_is_refused_in_time() {
    let nested = "[".repeat(200 << 10);
    let deep = format!("{}{}", r#"{"tags":"#.repeat(30 << 10), "}".repeat(30 << 10));
    let large = "1".repeat(300 << 10);
    let wide = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(30 << 10));
    for (layout, prefix) in layouts() {
        for value in [&nested, &deep, &large, &wide] {
            let key = format!("{prefix}/cart/7");
            let entry = Entry { prefix, key: key.as_bytes(), value: value.as_bytes() };
            check(&layout, &entry);
        }
    }
}
