//! Each layout on literal keys and values: as the frameworks write them, and broken.
//!
//! `golden` has the good ones and `broken` the others; `anything` holds that no bytes do harm. All look
//! through one door, `told`, which says on few lines what an entry was taken for.

mod anything;
mod broken;
mod golden;

use std::fmt::Write;

use super::template::{Content, Field, Template};
use super::{Entry, Layout, Reading, Said};
use crate::registration::{Registration, Terms};

/// An entry as people write it down.
type Row<'a> = (&'a str, &'a str);

fn terms() -> Terms {
    Terms { allow_cidrs: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()], ttl_s: 15 }
}

/// Keys of `/services/…` with JSON that has everything.
fn everything() -> Layout {
    let pointers = [
        (Field::Version, "/build/version"),
        (Field::Host, "/net/0/ip"),
        (Field::Port, "/net/0/port"),
        (Field::Weight, "/weight"),
        (Field::Meta, "/labels"),
    ];
    let pointers = pointers.into_iter().map(|(field, pointer)| (field, pointer.to_owned())).collect();
    Layout::Plain(Template::new("/services/{service}/{id}", Content::Json(pointers)).unwrap())
}

/// Keys of `/services/…` with an address.
fn text() -> Layout {
    Layout::Plain(Template::new("/services/{service}/{version}/{id}", Content::Text).unwrap())
}

/// Keys that say all.
fn unread() -> Layout {
    Layout::Plain(Template::new("{service}/{host}/{port}", Content::Unread).unwrap())
}

/// All layouts, each with the prefix of its source.
fn layouts() -> [(Layout, &'static str); 10] {
    [
        (Layout::Native, "/turnout/v1/instances"),
        (Layout::Kitex, "kitex/registry-etcd"),
        (Layout::Kratos, "/microservices"),
        (Layout::GoZero, ""),
        (Layout::GoMicro, "/micro/registry"),
        (Layout::GrpcNaming, "service/"),
        (Layout::Todolist, "/"),
        (everything(), ""),
        (text(), ""),
        (unread(), ""),
    ]
}

/// What each entry is taken for.
fn told(layout: &Layout, prefix: &str, rows: &[Row<'_>]) -> String {
    let mut told = String::new();
    for (key, value) in rows {
        let entry = Entry { prefix, key: key.as_bytes(), value: value.as_bytes() };
        match layout.read(&entry, &terms()) {
            Ok(reading) => tell(&mut told, &reading),
            Err(error) => writeln!(told, "{}", error.problem).unwrap(),
        }
    }
    told
}

fn tell(told: &mut String, reading: &Reading) {
    match &reading.said {
        Said::Ignored(ignored) => writeln!(told, "ignored: {}", ignored.reason()).unwrap(),
        Said::Versioned(registration) => {
            writeln!(told, "instance of {}: {}", registration.instance.version, describe(registration))
                .unwrap();
        }
        Said::Unversioned(instance) => {
            let written = instance.written().to_owned();
            let version = "9.9.9".parse().unwrap();
            let registration = instance.clone().with_version(version);
            writeln!(told, "instance of no version ({written:?}): {}", describe(&registration)).unwrap();
        }
    }
    for finding in &reading.findings {
        writeln!(told, "  {finding}").unwrap();
    }
}

fn describe(registration: &Registration) -> String {
    let instance = &registration.instance;
    let urls: Vec<String> = instance.endpoints.iter().map(|endpoint| endpoint.url()).collect();
    format!(
        "{}/{} {} weight {} {:?} {:?} {:?}",
        instance.service,
        instance.id,
        urls.join(" "),
        instance.weight,
        instance.intent,
        instance.health,
        instance.meta
    )
}
