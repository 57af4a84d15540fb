//! Descriptors that no compiler made.

use proptest::prelude::*;
use prost::Message;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};

use super::*;

/// The fixture's own file with something done to it, beside the files it imports.
pub(super) fn altered(
    alter: impl FnOnce(FileDescriptorProto) -> Option<FileDescriptorProto>,
) -> Option<Descriptors> {
    let known = fixture::service("shop", SHOP);
    let (mut files, mut alter) = (Vec::new(), Some(alter));
    for file in known.pool().file_descriptor_protos() {
        match alter.take_if(|_| file.name() == "shop.proto") {
            Some(alter) => files.push(alter(file.clone())?),
            None => files.push(file.clone()),
        }
    }
    Descriptors::read(&FileDescriptorSet { file: files }.encode_to_vec()).ok()
}

fn both_ways(new: Descriptors) {
    let old = all(fixture::service("shop", SHOP));
    let new = all(new);
    gate((&old.0, &old.1), (&new.0, &new.1), &[]);
    gate((&new.0, &new.1), (&old.0, &old.1), &[]);
}

#[test]
fn an_entry_of_a_map_without_a_key_is_compared_all_the_same() {
    let broken = altered(|mut file| {
        let item = file.message_type.iter_mut().find(|message| message.name() == "Item")?;
        item.nested_type[0].field.remove(0);
        Some(file)
    });
    both_ways(broken.expect("the pool takes it"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]
    #[test]
    fn no_descriptors_make_it_panic(at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let flipped = altered(|file| {
            let mut bytes = file.encode_to_vec();
            let place = at.index(bytes.len());
            bytes[place] = with;
            FileDescriptorProto::decode(&*bytes).ok()
        });
        if let Some(flipped) = flipped {
            both_ways(flipped);
        }
    }
}
