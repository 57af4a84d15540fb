//! What one file of descriptors defines, and what it needs from others.
//!
//! The bytes are kept as they came: options that this build does not know stay in them. Only what binds files
//! together is read: names, imports and references to types. Nothing is judged here.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

/// A file, read.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// How it is imported.
    pub(super) name: String,
    /// Its FileDescriptorProto, as it came.
    pub(super) bytes: Bytes,
    /// The files that it imports, in its own order.
    pub(super) imports: Vec<String>,
    /// The full names of its messages, enums and services.
    pub(super) defines: BTreeSet<String>,
    /// The full names of the types that it refers to.
    pub(super) refers: BTreeSet<String>,
}

impl File {
    /// Reads a file. `None` for what is none, and for one with nothing in it: it stands for a file that its
    /// sender does not have either.
    pub(super) fn read(bytes: Bytes) -> Option<File> {
        let proto = FileDescriptorProto::decode(bytes.clone()).ok()?;
        let name = proto.name().to_owned();
        let mut scan = Scan::default();
        for service in &proto.service {
            scan.defines.insert(full(proto.package(), service.name()));
            for method in &service.method {
                scan.refer(method.input_type());
                scan.refer(method.output_type());
            }
        }
        proto.message_type.iter().for_each(|message| scan.message(proto.package(), message));
        proto.enum_type.iter().for_each(|definition| scan.enumeration(proto.package(), definition));
        proto.extension.iter().for_each(|extension| scan.field(extension));
        let is_empty = scan.defines.is_empty() && proto.extension.is_empty() && proto.dependency.is_empty();
        if name.is_empty() || is_empty {
            return None;
        }
        Some(File { name, bytes, imports: proto.dependency, defines: scan.defines, refers: scan.refers })
    }

    /// A file that passes on what others define, under a name by which they are not known.
    pub(super) fn forwarding(name: &str, to: Vec<String>) -> File {
        let proto = FileDescriptorProto {
            name: Some(name.to_owned()),
            syntax: Some("proto3".to_owned()),
            public_dependency: (0..).take(to.len()).collect(),
            dependency: to.clone(),
            ..FileDescriptorProto::default()
        };
        File {
            name: name.to_owned(),
            bytes: proto.encode_to_vec().into(),
            imports: to,
            defines: BTreeSet::new(),
            refers: BTreeSet::new(),
        }
    }
}

/// Files that are at hand when a server does not have them: protobuf's own, Google's, and Turnout's options.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    files: BTreeMap<String, File>,
    /// Who defines a type.
    definers: BTreeMap<String, String>,
}

impl Bundle {
    /// The files of a FileDescriptorSet; what is none is passed over.
    pub fn read(set: &[u8]) -> Bundle {
        let files = Set::decode(set).unwrap_or_default().file.into_iter().filter_map(File::read);
        let files: BTreeMap<String, File> = files.map(|file| (file.name.clone(), file)).collect();
        let defines = |file: &File| {
            let name = file.name.clone();
            file.defines.clone().into_iter().map(move |symbol| (symbol, name.clone()))
        };
        let definers = files.values().flat_map(defines).collect();
        Bundle { files, definers }
    }

    pub(super) fn file(&self, name: &str) -> Option<&File> {
        self.files.get(name)
    }

    pub(super) fn definer(&self, symbol: &str) -> Option<&File> {
        self.file(self.definers.get(symbol)?)
    }
}

/// A FileDescriptorSet whose files stay bytes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Set {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) file: Vec<Bytes>,
}

/// What was found in a file so far.
#[derive(Default)]
struct Scan {
    defines: BTreeSet<String>,
    refers: BTreeSet<String>,
}

impl Scan {
    /// As deep as messages nest, which the decoder bounds.
    fn message(&mut self, scope: &str, message: &DescriptorProto) {
        let name = full(scope, message.name());
        message.field.iter().chain(&message.extension).for_each(|field| self.field(field));
        message.nested_type.iter().for_each(|nested| self.message(&name, nested));
        message.enum_type.iter().for_each(|definition| self.enumeration(&name, definition));
        self.defines.insert(name);
    }

    fn enumeration(&mut self, scope: &str, definition: &EnumDescriptorProto) {
        self.defines.insert(full(scope, definition.name()));
    }

    fn field(&mut self, field: &FieldDescriptorProto) {
        self.refer(field.type_name());
        self.refer(field.extendee());
    }

    /// Compilers write references with a dot in front. Others are relative, and found by who links.
    fn refer(&mut self, reference: &str) {
        if let Some(name) = reference.strip_prefix('.') {
            self.refers.insert(name.to_owned());
        }
    }
}

fn full(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}
