//! Whether some bytes are the descriptors of a service: read, linked and named properly.
//!
//! Each set lives in a pool of its own, never in a shared one: two versions of a message with the
//! same full name must be able to exist side by side. Options are kept as they were sent, also those
//! this build does not know. Nothing is judged here: what becomes public, and as what, is decided by
//! the modules beside this one.

mod imports;

use std::collections::BTreeSet;
use std::fmt;

use prost::Message;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use crate::Digest;

/// The largest descriptor set taken. The 1 800 messages of a large cloud API with all comments are 5 MiB.
pub const BYTES_MAX: usize = 16 << 20;

/// The longest name of a message, field, enum or service.
const NAME_BYTES_MAX: usize = 256;

/// The descriptors of one version, in a pool of their own.
#[derive(Clone)]
pub struct Descriptors {
    digest: Digest,
    pool: DescriptorPool,
    /// The files that have an edition in place of a syntax.
    editions: BTreeSet<String>,
    /// The services that belong to the registration; empty: all of them.
    own: BTreeSet<String>,
}

impl Descriptors {
    /// Reads an encoded FileDescriptorSet.
    pub fn read(bytes: &[u8]) -> Result<Descriptors, Error> {
        if bytes.is_empty() {
            return Err(Error::Empty);
        }
        if bytes.len() > BYTES_MAX {
            return Err(Error::TooLarge(bytes.len()));
        }
        let (known, editions) = without_editions(bytes)?;
        let pool =
            DescriptorPool::decode(known.as_slice()).map_err(|error| Error::Broken(error.to_string()))?;
        for file in pool.file_descriptor_protos() {
            check_names(file)?;
        }
        if pool.services().len() == 0 {
            return Err(Error::NoService);
        }
        Ok(Descriptors { digest: Digest::of(bytes), pool, editions, own: BTreeSet::new() })
    }

    /// The same, of which only these services belong to whoever registered it; empty: all of them. Several
    /// services may share a port, and with it their descriptors.
    #[must_use]
    pub fn only(self, services: &[String]) -> Descriptors {
        Descriptors { own: services.iter().cloned().collect(), ..self }
    }

    /// Whether a service belongs to whoever registered the set.
    pub fn owns(&self, service: &str) -> bool {
        self.own.is_empty() || self.own.contains(service)
    }

    /// The name of this set by its content.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The full names of the protobuf services in it, sorted.
    pub fn services(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.pool.services().map(|service| service.full_name().to_owned()).collect();
        names.sort();
        names
    }

    /// Whether a file has an edition: then features say what the syntax says elsewhere.
    pub fn has_edition(&self, file: &str) -> bool {
        self.editions.contains(file)
    }

    /// Everything in it. Files with an edition are there as proto2.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }
}

impl fmt::Debug for Descriptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Descriptors")
            .field("digest", &self.digest)
            .field("services", &self.services())
            .finish()
    }
}

/// Why some bytes are not the descriptors of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// There are none.
    Empty,
    /// There are so many.
    TooLarge(usize),
    /// They are no FileDescriptorSet, or its files do not fit together; with the reason.
    Broken(String),
    /// Something in it has a name that no protobuf compiler accepts.
    Name(String),
    /// There is no service in it.
    NoService,
}

impl Error {
    /// What would mend it.
    pub fn help(&self) -> &'static str {
        match self {
            Error::Empty | Error::Broken(_) | Error::Name(_) => {
                "Send the output of `protoc --include_imports --include_source_info --descriptor_set_out`, \
                 or of `buf build -o image.binpb`, as it is."
            }
            Error::TooLarge(_) => "Leave out the files that the service does not use.",
            Error::NoService => "Include the file that defines the service.",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Empty => write!(f, "the descriptor set is empty"),
            Error::TooLarge(found) => {
                write!(f, "the descriptor set has {found} bytes, and {BYTES_MAX} are allowed")
            }
            Error::Broken(reason) => write!(f, "the descriptor set cannot be read: {reason}"),
            Error::Name(name) => write!(f, "the descriptor set has a name that is none: {name:?}"),
            Error::NoService => write!(f, "the descriptor set defines no service"),
        }
    }
}

impl std::error::Error for Error {}

/// A set, file by file.
#[derive(Clone, PartialEq, Message)]
struct Files {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

/// What says how a file is to be read, and with what.
#[derive(Clone, PartialEq, Message)]
struct Head {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "12")]
    syntax: Option<String>,
    #[prost(string, repeated, tag = "3")]
    dependency: Vec<String>,
    #[prost(int32, repeated, packed = "false", tag = "10")]
    public_dependency: Vec<i32>,
}

/// `syntax = "proto2"` as it stands in the bytes of a file.
const PROTO2: &[u8] = b"\x62\x06proto2";

/// The pool knows no editions, and panics at any syntax it does not know. A field that comes twice
/// counts as it comes last, so a file with an edition becomes proto2 by a few bytes at its end.
fn without_editions(bytes: &[u8]) -> Result<(Vec<u8>, BTreeSet<String>), Error> {
    let mut files = Files::decode(bytes).map_err(|error| Error::Broken(error.to_string()))?;
    let heads: Result<Vec<Head>, _> = files.file.iter().map(|file| Head::decode(file.as_slice())).collect();
    let heads = heads.map_err(|error| Error::Broken(error.to_string()))?;
    imports::check(&heads).map_err(Error::Broken)?;
    let mut editions = BTreeSet::new();
    for (file, head) in files.file.iter_mut().zip(heads) {
        match head.syntax.as_deref() {
            None | Some("proto2" | "proto3") => {}
            Some("editions") => {
                file.extend_from_slice(PROTO2);
                editions.insert(head.name.unwrap_or_default());
            }
            Some(syntax) => {
                let syntax: String = syntax.chars().take(64).collect();
                return Err(Error::Broken(format!("a file has the unknown syntax {syntax:?}")));
            }
        }
    }
    Ok((files.encode_to_vec(), editions))
}

/// Descriptors come from strangers, and their names end up in schemas, logs and pages.
fn check_names(file: &FileDescriptorProto) -> Result<(), Error> {
    if !file.package().is_empty() {
        file.package().split('.').try_for_each(check_name)?;
    }
    for service in &file.service {
        check_name(service.name())?;
        service.method.iter().try_for_each(|method| check_name(method.name()))?;
    }
    file.message_type.iter().try_for_each(check_message)?;
    file.enum_type.iter().try_for_each(check_enum)?;
    file.extension.iter().try_for_each(|extension| check_name(extension.name()))
}

/// As deep as messages nest in the source, which the decoder bounds.
fn check_message(message: &DescriptorProto) -> Result<(), Error> {
    check_name(message.name())?;
    message.field.iter().try_for_each(|field| check_name(field.name()))?;
    message.oneof_decl.iter().try_for_each(|oneof| check_name(oneof.name()))?;
    message.enum_type.iter().try_for_each(check_enum)?;
    message.extension.iter().try_for_each(|extension| check_name(extension.name()))?;
    message.nested_type.iter().try_for_each(check_message)
}

fn check_enum(definition: &EnumDescriptorProto) -> Result<(), Error> {
    check_name(definition.name())?;
    definition.value.iter().try_for_each(|value| check_name(value.name()))
}

fn check_name(name: &str) -> Result<(), Error> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if first && name.len() <= NAME_BYTES_MAX && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return Ok(());
    }
    Err(Error::Name(name.chars().take(64).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;
    use prost_reflect::prost_types::{FileDescriptorSet, ServiceDescriptorProto};

    fn shop() -> FileDescriptorSet {
        FileDescriptorSet {
            file: vec![FileDescriptorProto {
                name: Some("shop.proto".into()),
                package: Some("shop.v1".into()),
                service: vec![ServiceDescriptorProto { name: Some("Shop".into()), ..Default::default() }],
                message_type: vec![DescriptorProto { name: Some("Item".into()), ..Default::default() }],
                ..Default::default()
            }],
        }
    }

    fn check(set: &FileDescriptorSet, expected: Expect) {
        let answer = match Descriptors::read(&set.encode_to_vec()) {
            Ok(descriptors) => descriptors.services().join("\n"),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&answer);
    }

    #[test]
    fn a_service_is_found_by_its_full_name() {
        check(&shop(), expect!["shop.v1.Shop"]);
    }

    #[test]
    fn a_missing_import_is_named() {
        let mut set = shop();
        set.file[0].dependency.push("google/type/money.proto".into());
        check(
            &set,
            expect![[
                r#"the descriptor set cannot be read: imported file 'google/type/money.proto' has not been added"#
            ]],
        );
    }

    #[test]
    fn markup_is_no_name() {
        let mut set = shop();
        set.file[0].message_type[0].name = Some("<img src=x onerror=alert(1)>".into());
        check(
            &set,
            expect![[r#"the descriptor set has a name that is none: "<img src=x onerror=alert(1)>""#]],
        );
    }

    #[test]
    fn a_set_without_a_service_is_of_no_use() {
        let mut set = shop();
        set.file[0].service.clear();
        check(&set, expect!["the descriptor set defines no service"]);
    }

    #[test]
    fn an_unknown_syntax_is_refused_and_an_edition_is_not() {
        let mut set = shop();
        set.file[0].syntax = Some("proto4".into());
        check(
            &set,
            expect![[r#"the descriptor set cannot be read: a file has the unknown syntax "proto4""#]],
        );
        set.file[0].syntax = Some("editions".into());
        check(&set, expect!["shop.v1.Shop"]);
        let descriptors = Descriptors::read(&set.encode_to_vec()).unwrap();
        assert!(descriptors.has_edition("shop.proto"));
    }

    /// Files with these public imports, each by its place in the list, and the shop, which imports the first.
    fn importing(files: &[&[usize]]) -> FileDescriptorSet {
        let mut set = shop();
        set.file[0].dependency.push("0.proto".into());
        for (place, imports) in files.iter().enumerate() {
            set.file.push(FileDescriptorProto {
                name: Some(format!("{place}.proto")),
                dependency: imports.iter().map(|place| format!("{place}.proto")).collect(),
                public_dependency: (0..).take(imports.len()).collect(),
                ..Default::default()
            });
        }
        set
    }

    #[test]
    fn files_may_import_one_another_but_not_in_circles() {
        check(&importing(&[&[1, 2], &[3], &[3], &[]]), expect!["shop.v1.Shop"]);
        check(
            &importing(&[&[0]]),
            expect![[r#"the descriptor set cannot be read: the imports of "shop.proto" lead in a circle"#]],
        );
        check(
            &importing(&[&[1], &[2], &[1]]),
            expect![[r#"the descriptor set cannot be read: the imports of "shop.proto" lead in a circle"#]],
        );
        // The pool would overflow the stack.
        let error = Descriptors::read(b"\x0a\x08\x0a\x01a\x1a\x01a\x50\x00").unwrap_err();
        assert_eq!(error, Error::Broken("the imports of \"a\" lead in a circle".to_owned()));
    }

    #[test]
    fn imports_that_multiply_or_never_end_are_not_followed() {
        check(
            &importing(&[&[1, 1, 1], &[]]),
            expect![[r#"the descriptor set cannot be read: the file "0.proto" imports "1.proto" twice"#]],
        );
        // Every file imports both files of the next pair.
        let pairs: Vec<Vec<usize>> =
            (0..60).map(|place| vec![place / 2 * 2 + 2, place / 2 * 2 + 3]).collect();
        let pairs: Vec<&[usize]> = pairs.iter().map(Vec::as_slice).collect();
        let lead_too_far = Descriptors::read(&importing(&pairs).encode_to_vec()).unwrap_err().to_string();
        assert!(lead_too_far.ends_with("lead too far"), "{lead_too_far}");
        let chain: Vec<Vec<usize>> = (1..20_000).map(|next| vec![next]).collect();
        let chain: Vec<&[usize]> = chain.iter().map(Vec::as_slice).collect();
        let lead_too_far = Descriptors::read(&importing(&chain).encode_to_vec()).unwrap_err().to_string();
        assert!(lead_too_far.ends_with("lead too far"), "{lead_too_far}");
    }

    #[test]
    fn nothing_and_too_much_are_refused_before_they_are_read() {
        assert_eq!(Descriptors::read(&[]).err(), Some(Error::Empty));
        assert_eq!(Descriptors::read(&vec![0; BYTES_MAX + 1]).err(), Some(Error::TooLarge(BYTES_MAX + 1)));
    }

    #[test]
    fn every_truncation_is_an_error_or_another_legal_set() {
        let bytes = shop().encode_to_vec();
        for end in 0..bytes.len() {
            assert!(Descriptors::read(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = Descriptors::read(&bytes);
        }

        #[test]
        fn no_flipped_byte_makes_it_panic(at in 0usize..64, with in any::<u8>()) {
            let mut bytes = shop().encode_to_vec();
            let place = at % bytes.len();
            bytes[place] ^= with;
            let _ = Descriptors::read(&bytes);
        }
    }
}
