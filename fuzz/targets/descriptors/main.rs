//! Can any bytes that claim to be descriptors hurt the gateway, and does what it takes of them become a
//! graph that can be written down and asked about itself?

#![no_main]

mod change;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use turnout_schema::compose::{self, Locks};
use turnout_schema::dynamic::Introspection;
use turnout_schema::subgraph::{self, Exposure};
use turnout_schema::{Descriptors, Digest, sdl};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // One in four stays as libFuzzer would have it: broken bytes come from strangers too.
    match change::change(&data[..size], seed) {
        Some(changed) if !seed.is_multiple_of(4) && changed.len() <= max_size => {
            data[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(descriptors) = Descriptors::read(bytes) else { return };
    assert_eq!(descriptors.digest(), Digest::of(bytes));
    let services = descriptors.services();
    assert!(!services.is_empty());
    for name in services.iter().flat_map(|service| service.split('.')) {
        let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        assert!(legal && !name.is_empty(), "{name:?} is no name");
    }
    for exposure in [Exposure::Annotated, Exposure::All] {
        graph(&descriptors, exposure);
    }
});

fn graph(descriptors: &Descriptors, exposure: Exposure) {
    let reading = subgraph::read("shop", "1.0.0", descriptors, exposure);
    let composition = compose::compose(&[reading.subgraph], &Locks::default());
    let Some(supergraph) = composition.supergraph else { return };
    assert_eq!(compose::verify(&supergraph), Vec::<String>::new());
    assert!(!sdl::sdl(&supergraph).is_empty());
    assert!(Introspection::new(&supergraph).is_ok(), "{:?}", Introspection::new(&supergraph).err());
}
