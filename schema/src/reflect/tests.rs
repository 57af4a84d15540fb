//! Scripted servers of every style that is known, and what is made of their answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use expect_test::{Expect, expect};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use prost::Message;
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, ServiceDescriptorProto,
};

use super::file::{File, Set};
use super::{Ask, Assembled, Assembly, Bundle, Error, Reply, Step};
use crate::fixture::{self, SAMPLES};
use crate::subgraph::{self, Descriptors, Exposure};

static BUNDLE: LazyLock<Arc<Bundle>> = LazyLock::new(|| Arc::new(Bundle::read(&fixture::well_known())));

/// How much a server sends for one question.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sends {
    /// One file: tonic.
    One,
    /// A file and all that it imports: grpc-go.
    All,
    /// The same, but for what it has sent before: grpc-go within one stream.
    Rest,
}

/// What a server has.
#[derive(Clone, Debug)]
struct Server {
    files: BTreeMap<String, (Bytes, FileDescriptorProto)>,
    sends: Sends,
    /// It knows no file by its name: Python, for a while.
    no_names: bool,
    /// It knows services by name, and no messages.
    no_messages: bool,
    sent: BTreeSet<String>,
    asked: Vec<Ask>,
}

impl Server {
    fn of(descriptors: &Descriptors) -> Server {
        Server::having(&descriptors.pool().encode_to_vec())
    }

    fn having(set: &[u8]) -> Server {
        let set = Set::decode(set).unwrap();
        let file = |bytes: Bytes| {
            let proto = FileDescriptorProto::decode(bytes.clone()).unwrap();
            (proto.name().to_owned(), (bytes, proto))
        };
        Server {
            files: set.file.into_iter().map(file).collect(),
            sends: Sends::One,
            no_names: false,
            no_messages: false,
            sent: BTreeSet::new(),
            asked: Vec::new(),
        }
    }

    fn protos(texts: &[(&str, &str)]) -> Server {
        Server::of(&fixture::descriptors(texts))
    }

    fn sending(self, sends: Sends) -> Server {
        Server { sends, ..self }
    }

    /// Has a file no more.
    fn without(mut self, name: &str) -> Server {
        assert!(self.files.remove(name).is_some(), "{name}");
        self
    }

    /// Has a file under another name; those who import it say the old one.
    fn renaming(mut self, old: &str, new: &str) -> Server {
        let (bytes, _) = self.files.remove(old).unwrap();
        // What comes last counts, and options stay what they are.
        let name = FileDescriptorProto { name: Some(new.to_owned()), ..Default::default() };
        let bytes = Bytes::from([&bytes[..], &name.encode_to_vec()].concat());
        let proto = FileDescriptorProto::decode(bytes.clone()).unwrap();
        self.files.insert(new.to_owned(), (bytes, proto));
        self
    }

    fn services(&self) -> Vec<String> {
        let services = |proto: &FileDescriptorProto| -> Vec<String> {
            proto.service.iter().map(|service| full(proto, service.name())).collect()
        };
        self.files.values().flat_map(|(_, proto)| services(proto)).collect()
    }

    fn answer(&mut self, ask: &Ask) -> Reply {
        self.asked.push(ask.clone());
        let found = match ask {
            Ask::Services => {
                let standard = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"];
                let all = self.services().into_iter().chain(standard.map(str::to_owned));
                return Reply::Services(all.collect());
            }
            Ask::File(_) if self.no_names => None,
            Ask::File(name) => self.files.contains_key(name).then(|| name.clone()),
            Ask::Symbol(symbol) => self.file_of(symbol),
        };
        let Some(name) = found else { return Reply::Nothing("not found".to_owned()) };
        let mut names = vec![name];
        if self.sends != Sends::One {
            let mut at = 0;
            while let Some(name) = names.get(at).cloned() {
                let imports = self.files.get(&name).map(|(_, proto)| proto.dependency.clone());
                let new = imports.unwrap_or_default().into_iter().filter(|import| !names.contains(import));
                names.extend(new.collect::<Vec<_>>());
                at += 1;
            }
        }
        if self.sends == Sends::Rest {
            names.retain(|name| self.sent.insert(name.clone()));
        }
        let bytes = names.iter().filter_map(|name| self.files.get(name)).map(|(bytes, _)| bytes.clone());
        Reply::Files(bytes.collect())
    }

    fn file_of(&self, symbol: &str) -> Option<String> {
        let defines = |(bytes, proto): &(Bytes, FileDescriptorProto)| {
            let service = proto.service.iter().any(|service| full(proto, service.name()) == symbol);
            let file = File::read(bytes.clone());
            service || !self.no_messages && file.is_some_and(|file| file.defines.contains(symbol))
        };
        self.files.iter().find(|(_, file)| defines(file)).map(|(name, _)| name.clone())
    }
}

fn full(proto: &FileDescriptorProto, name: &str) -> String {
    if proto.package().is_empty() { name.to_owned() } else { format!("{}.{name}", proto.package()) }
}

/// Asks a server until all is there.
fn assemble(server: &mut Server, wanted: &[&str]) -> Result<Assembled, Error> {
    let wanted = wanted.iter().map(|name| (*name).to_owned()).collect();
    let mut assembly = Assembly::new(BUNDLE.clone(), wanted);
    loop {
        match assembly.step() {
            Step::Ask(ask) => {
                assert_eq!(assembly.step(), Step::Ask(ask.clone()));
                let reply = server.answer(&ask);
                assembly.take(&ask, reply);
            }
            Step::Done(assembled) => return Ok(assembled),
            Step::Failed(error) => return Err(error),
        }
    }
}

/// What an offer is, but for the digest of its descriptors.
fn offer(bytes: &[u8]) -> subgraph::Subgraph {
    let descriptors = Descriptors::read(bytes).unwrap();
    let mut subgraph = subgraph::read("shop", "1.0.0", &descriptors, Exposure::All).subgraph;
    subgraph.digest = crate::Digest::of(b"");
    subgraph
}

/// What becomes of a server: the files of the set, and what was asked.
fn check(mut server: Server, expected: Expect) {
    let answer = match assemble(&mut server, &[]) {
        Ok(assembled) => {
            let files = Set::decode(assembled.bytes.as_slice()).unwrap().file;
            let names = files.iter().map(|file| {
                let file = FileDescriptorProto::decode(file.clone()).unwrap();
                let is_stub = file.message_type.is_empty() && file.service.is_empty();
                let to = if is_stub { format!(" -> {}", file.dependency.join(" ")) } else { String::new() };
                format!("{}{}", file.name(), to)
            });
            let names: Vec<String> = names.collect();
            let left_out = assembled.left_out.iter().map(|name| format!("\nwithout {name}"));
            format!("{}{}", names.join("\n"), left_out.collect::<String>())
        }
        Err(error) => error.to_string(),
    };
    let asked: Vec<String> = server.asked.iter().map(|ask| format!("{ask:?}")).collect();
    expected.assert_eq(&format!("{answer}\n\n{}", asked.join("\n")));
}

const SHOP: (&str, &str) = (
    "shop/v1/shop.proto",
    r#"syntax = "proto3"; package shop.v1;
    import "shop/v1/item.proto"; import "google/protobuf/timestamp.proto"; import "shop/v1/unused.proto";
    message Request { google.protobuf.Timestamp since = 1; }
    service Shop { rpc ListItems(Request) returns (Item); }"#,
);
const ITEM: (&str, &str) = (
    "shop/v1/item.proto",
    r#"syntax = "proto3"; package shop.v1; import "shop/v1/money.proto"; message Item { Money price = 1; }"#,
);
const MONEY: (&str, &str) =
    ("shop/v1/money.proto", r#"syntax = "proto3"; package shop.v1; message Money { int64 cents = 1; }"#);
const UNUSED: (&str, &str) =
    ("shop/v1/unused.proto", r#"syntax = "proto3"; package shop.v1; message Unused {}"#);

fn shop() -> Server {
    Server::protos(&[SHOP, ITEM, MONEY, UNUSED])
}

#[test]
fn a_server_that_sends_one_file_is_asked_for_the_others() {
    check(
        shop(),
        expect![[r#"
        shop/v1/money.proto
        shop/v1/item.proto
        google/protobuf/timestamp.proto
        shop/v1/unused.proto
        shop/v1/shop.proto

        Services
        Symbol("shop.v1.Shop")
        File("shop/v1/item.proto")
        File("shop/v1/unused.proto")
        File("shop/v1/money.proto")"#]],
    );
}

#[test]
fn a_server_that_sends_all_imports_is_asked_once() {
    check(
        shop().sending(Sends::All),
        expect![[r#"
        shop/v1/money.proto
        shop/v1/item.proto
        google/protobuf/timestamp.proto
        shop/v1/unused.proto
        shop/v1/shop.proto

        Services
        Symbol("shop.v1.Shop")"#]],
    );
}

#[test]
fn an_import_that_nothing_needs_may_be_missing() {
    check(
        shop().without("shop/v1/unused.proto"),
        expect![[r#"
        shop/v1/money.proto
        shop/v1/item.proto
        google/protobuf/timestamp.proto
        shop/v1/unused.proto -> 
        shop/v1/shop.proto

        Services
        Symbol("shop.v1.Shop")
        File("shop/v1/item.proto")
        File("shop/v1/unused.proto")
        File("shop/v1/money.proto")"#]],
    );
}

#[test]
fn a_file_under_another_path_is_found_by_what_it_defines() {
    check(
        shop().renaming("shop/v1/item.proto", "item.proto"),
        expect![[r#"
        shop/v1/money.proto
        item.proto
        shop/v1/item.proto -> item.proto
        google/protobuf/timestamp.proto
        shop/v1/unused.proto
        shop/v1/shop.proto

        Services
        Symbol("shop.v1.Shop")
        File("shop/v1/item.proto")
        File("shop/v1/unused.proto")
        Symbol("shop.v1.Item")
        File("shop/v1/money.proto")"#]],
    );
    check(
        shop().renaming("shop/v1/item.proto", "idl/shop/v1/item.proto"),
        expect![[r#"
        shop/v1/money.proto
        idl/shop/v1/item.proto
        shop/v1/item.proto -> idl/shop/v1/item.proto
        google/protobuf/timestamp.proto
        shop/v1/unused.proto
        shop/v1/shop.proto

        Services
        Symbol("shop.v1.Shop")
        File("shop/v1/item.proto")
        File("shop/v1/unused.proto")
        Symbol("shop.v1.Item")
        File("shop/v1/money.proto")"#]],
    );
}

#[test]
fn a_file_under_a_shorter_path_is_found_by_its_name() {
    let server = Server { no_messages: true, ..shop().renaming("shop/v1/money.proto", "money.proto") };
    check(
        server,
        expect![[r#"
        money.proto
        shop/v1/money.proto -> money.proto
        shop/v1/item.proto
        google/protobuf/timestamp.proto
        shop/v1/unused.proto
        shop/v1/shop.proto

        Services
        Symbol("shop.v1.Shop")
        File("shop/v1/item.proto")
        File("shop/v1/unused.proto")
        File("shop/v1/money.proto")
        Symbol("shop.v1.Money")
        File("v1/money.proto")
        File("money.proto")"#]],
    );
}

#[test]
fn a_server_that_knows_no_file_by_name_is_asked_by_type() {
    check(
        Server { no_names: true, ..shop() },
        expect![[r#"
        shop/v1/money.proto
        shop/v1/item.proto
        google/protobuf/timestamp.proto
        shop/v1/unused.proto -> 
        shop/v1/shop.proto

        Services
        Symbol("shop.v1.Shop")
        File("shop/v1/item.proto")
        File("shop/v1/unused.proto")
        Symbol("shop.v1.Item")
        File("shop/v1/money.proto")
        Symbol("shop.v1.Money")"#]],
    );
}

#[test]
fn what_is_missing_is_named_with_who_needs_it() {
    check(
        shop().without("shop/v1/money.proto"),
        expect![[r#"
        "shop/v1/item.proto" refers to shop.v1.Money, which the server does not describe; these imports of it were not found: shop/v1/money.proto

        Services
        Symbol("shop.v1.Shop")
        File("shop/v1/item.proto")
        File("shop/v1/unused.proto")
        File("shop/v1/money.proto")
        Symbol("shop.v1.Money")
        File("v1/money.proto")
        File("money.proto")"#]],
    );
}

#[test]
fn a_service_that_is_listed_and_not_described_is_left_out() {
    let mut server =
        Server::protos(&[SHOP, ITEM, MONEY, UNUSED, ("b.proto", "syntax = \"proto3\"; service B {}")]);
    let services = server.services();
    let mut assembly = Assembly::new(BUNDLE.clone(), Vec::new());
    let Step::Ask(ask) = assembly.step() else { panic!() };
    assembly.take(&ask, Reply::Services(services));
    server = server.without("b.proto");
    let done = loop {
        match assembly.step() {
            Step::Ask(ask) => assembly.take(&ask, server.answer(&ask)),
            done => break done,
        }
    };
    let Step::Done(assembled) = done else { panic!("{done:?}") };
    assert_eq!(assembled.services, ["shop.v1.Shop"]);
    assert_eq!(assembled.left_out, ["B"]);
}

#[test]
fn wanted_services_are_not_listed_first() {
    let mut server = shop();
    let assembled = assemble(&mut server, &["shop.v1.Shop"]).unwrap();
    assert_eq!(assembled.services, ["shop.v1.Shop"]);
    assert!(!server.asked.contains(&Ask::Services));
    let error = assemble(&mut shop(), &["shop.v1.Nope"]).unwrap_err();
    assert_eq!(error.to_string(), "the server does not describe \"shop.v1.Nope\": not found");
}

#[test]
fn a_server_without_services_of_its_own_is_told() {
    check(
        Server::having(&[]),
        expect![[r#"
        the server lists no service of its own

        Services"#]],
    );
}

#[test]
fn a_server_that_lists_nothing_is_told() {
    let mut assembly = Assembly::new(BUNDLE.clone(), Vec::new());
    assembly.take(&Ask::Services, Reply::Nothing("code 12, \"no\"".into()));
    let Step::Failed(error) = assembly.step() else { panic!() };
    assert_eq!(error.to_string(), "the server does not list its services: code 12, \"no\"");
}

#[test]
fn a_server_that_never_ends_is_given_up() {
    let mut assembly = Assembly::new(BUNDLE.clone(), vec!["a.S".into()]);
    let mut asks = 0;
    let error = loop {
        match assembly.step() {
            Step::Ask(ask) => {
                asks += 1;
                let name = match &ask {
                    Ask::File(name) => name.clone(),
                    Ask::Services | Ask::Symbol(_) => "0".to_owned(),
                };
                let next = name.parse::<u32>().unwrap() + 1;
                let text = FileDescriptorProto {
                    name: Some(name),
                    package: Some("a".into()),
                    service: vec![prost_reflect::prost_types::ServiceDescriptorProto {
                        name: Some("S".into()),
                        ..Default::default()
                    }],
                    dependency: vec![next.to_string()],
                    ..Default::default()
                };
                assembly.take(&ask, Reply::Files(vec![text.encode_to_vec().into()]));
            }
            Step::Done(_) => panic!("it never ends"),
            Step::Failed(error) => break error,
        }
    };
    assert_eq!(error, Error::TooMuch("2000 files"));
    assert!(asks <= 2_001);
}

#[test]
fn a_huge_file_is_given_up() {
    let mut assembly = Assembly::new(BUNDLE.clone(), vec!["a.S".into()]);
    let file = FileDescriptorProto {
        name: Some("a.proto".into()),
        package: Some("x".repeat(17 << 20)),
        dependency: vec!["b.proto".into()],
        ..Default::default()
    };
    assembly.take(&Ask::Symbol("a.S".into()), Reply::Files(vec![file.encode_to_vec().into()]));
    assert_eq!(assembly.step(), Step::Failed(Error::TooMuch("16 MiB of descriptors")));
}

/// A file with one service, a field of a type that nobody has, and these imports.
fn hostile(imports: Vec<String>, types: Vec<String>) -> Reply {
    let field = |(number, name): (i32, String)| FieldDescriptorProto {
        name: Some(format!("f{number}")),
        number: Some(number),
        type_name: Some(format!(".{name}")),
        ..Default::default()
    };
    let message = DescriptorProto {
        name: Some("Thing".to_owned()),
        field: (1..).zip(types).map(field).collect(),
        ..Default::default()
    };
    let service = ServiceDescriptorProto { name: Some("Shop".to_owned()), method: Vec::new(), options: None };
    let file = FileDescriptorProto {
        name: Some("shop.proto".to_owned()),
        package: Some("shop.v1".to_owned()),
        dependency: imports,
        message_type: vec![message],
        service: vec![service],
        ..Default::default()
    };
    Reply::Files(vec![file.encode_to_vec().into()])
}

/// What comes of a file whose imports and types nobody has, and the most bytes of paths that were held.
fn attack(file: Reply) -> (Error, usize) {
    let mut assembly = Assembly::new(BUNDLE.clone(), vec!["shop.v1.Shop".to_owned()]);
    let mut held = 0;
    loop {
        held = held.max(assembly.imports.iter().map(String::len).sum());
        match assembly.step() {
            Step::Ask(ask @ Ask::Symbol(_)) if assembly.asks == 0 => assembly.take(&ask, file.clone()),
            Step::Ask(ask) => assembly.take(&ask, Reply::Nothing("no".to_owned())),
            Step::Failed(error) => return (error, held),
            Step::Done(_) => panic!("nobody has the type"),
        }
    }
}

#[test]
fn a_path_of_many_parts_is_not_taken_apart_into_gigabytes() {
    let gone = || vec!["gone.v1.Gone".to_owned()];
    let (error, held) = attack(hostile(vec!["/".repeat(40_000)], gone()));
    assert_eq!(error, Error::TooMuch("512 bytes in the path of a file"));
    assert!(held < 1 << 16, "{held}");
    let imports = (0..100).map(|number| format!("{}{number}", "a/".repeat(250))).collect();
    let (error, held) = attack(hostile(imports, gone()));
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    assert!(held < 1 << 20, "{held}");
}

#[test]
fn more_imports_than_anybody_has_are_given_up_at_once() {
    let (error, held) = attack(hostile(vec![String::new(); 1_000_000], Vec::new()));
    assert_eq!((error, held), (Error::TooMuch("20000 imports"), 0));
}

#[test]
fn imports_that_are_not_there_cost_no_more_than_they_are() {
    // Many that are missing, many that could stand in for them, and all of them bound together.
    let count = 300;
    let name = |number: usize| format!("f{number}.proto");
    let file = |number: usize| FileDescriptorProto {
        name: Some(name(number)),
        package: Some(format!("p{number}")),
        syntax: Some("proto3".to_owned()),
        dependency: (0..10).map(|other| format!("gone{}.proto", (number * 10 + other) % 400)).collect(),
        message_type: vec![DescriptorProto {
            name: Some("Thing".to_owned()),
            field: (1..100)
                .map(|step| FieldDescriptorProto {
                    name: Some(format!("f{step}")),
                    number: i32::try_from(step).ok(),
                    r#type: Some(11),
                    type_name: Some(format!(".p{}.Thing", (number + step) % count)),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }],
        service: vec![ServiceDescriptorProto { name: Some("Shop".to_owned()), ..Default::default() }],
        ..Default::default()
    };
    let files = (0..count).map(|number| file(number).encode_to_vec().into()).collect();
    let mut assembly = Assembly::new(BUNDLE.clone(), vec!["p0.Shop".to_owned()]);
    assembly.take(&Ask::Symbol("p0.Shop".to_owned()), Reply::Files(files));
    let error = loop {
        match assembly.step() {
            Step::Ask(ask) => assembly.take(&ask, Reply::Nothing("no".to_owned())),
            Step::Failed(error) => break error,
            Step::Done(_) => panic!("not all of them can stand for all that is missing"),
        }
    };
    assert_eq!(error, Error::TooMuch("20000 imports"));
}

#[test]
fn imports_in_a_circle_end() {
    let file = |name: &str, import: &str, service: &str| -> Bytes {
        FileDescriptorProto {
            name: Some(name.into()),
            dependency: vec![import.into()],
            service: vec![prost_reflect::prost_types::ServiceDescriptorProto {
                name: Some(service.into()),
                ..Default::default()
            }],
            ..Default::default()
        }
        .encode_to_vec()
        .into()
    };
    let mut assembly = Assembly::new(BUNDLE.clone(), vec!["A".into(), "B".into()]);
    let files = vec![file("a.proto", "b.proto", "A"), file("b.proto", "a.proto", "B")];
    assembly.take(&Ask::Symbol("A".into()), Reply::Files(files));
    let Step::Failed(error) = assembly.step() else { panic!() };
    assert!(error.to_string().ends_with("lead in a circle"), "{error}");
}

#[test]
fn every_sample_survives_every_style_and_keeps_its_options() {
    for (service, version) in SAMPLES {
        let original = fixture::sample(service, version);
        let bytes = original.pool().encode_to_vec();
        let expected = offer(&bytes);
        assert!(!expected.roots.is_empty(), "{service}");
        for sends in [Sends::One, Sends::All, Sends::Rest] {
            let mut server = Server::of(&original).sending(sends);
            let assembled = assemble(&mut server, &[]).unwrap();
            assert_eq!(offer(&assembled.bytes), expected, "{service} {version} {sends:?}");
        }
    }
}

#[test]
fn how_a_server_sends_does_not_decide_the_digest() {
    let of = |sends| assemble(&mut shop().sending(sends), &[]).unwrap().bytes;
    assert_eq!(of(Sends::One), of(Sends::All));
    assert_eq!(of(Sends::One), of(Sends::Rest));
}

proptest! {
    #[test]
    fn any_server_of_a_sample_gives_the_same_offer(
        sample in 0..SAMPLES.len(),
        style in 0..3usize,
        no_names in any::<bool>(),
        moved in any::<u16>(),
        dropped in any::<u16>(),
    ) {
        let (service, version) = SAMPLES[sample];
        let original = fixture::sample(service, version);
        let sends = [Sends::One, Sends::All, Sends::Rest][style];
        let mut server = Server { no_names, ..Server::of(&original).sending(sends) };
        let names: Vec<String> = server.files.keys().cloned().collect();
        for (place, name) in names.iter().enumerate() {
            let bundled = BUNDLE.file(name).is_some();
            if bundled && dropped >> (place % 16) & 1 == 1 {
                server = server.without(name);
            } else if !bundled && moved >> (place % 16) & 1 == 1 {
                server = server.renaming(name, &format!("elsewhere/{name}"));
            }
        }
        let assembled = assemble(&mut server, &[]);
        prop_assert!(assembled.is_ok(), "{:?}", assembled);
        prop_assert_eq!(offer(&assembled.unwrap().bytes), offer(&original.pool().encode_to_vec()));
    }

    #[test]
    fn no_answer_makes_it_panic(answers in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 1..20)) {
        let mut assembly = Assembly::new(BUNDLE.clone(), Vec::new());
        for answer in answers {
            let Step::Ask(ask) = assembly.step() else { break };
            let reply = match answer.first() {
                Some(0..64) => Reply::Services(vec![String::from_utf8_lossy(&answer).into_owned()]),
                Some(64..) => Reply::Files(vec![answer.into()]),
                None => Reply::Nothing(String::new()),
            };
            assembly.take(&ask, reply);
        }
    }
}
