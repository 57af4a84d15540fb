//! In the place of `etcd` where the feature of that name is off: a registrar that cannot exist.
//!
//! It spares every other file a condition. Only `new` can be reached, and says what to do.

use std::time::Duration;

use super::{Error, Grant};
use crate::instance::{Instance, Presence};
use crate::schema::Schema;

#[derive(Debug)]
pub(crate) enum Registrar {}

impl Registrar {
    pub(crate) fn new(_: &[String], _: &str, _: Option<(String, String)>) -> Result<Self, String> {
        Err("turnout-service was built without its feature `etcd`".to_owned())
    }

    pub(crate) async fn has_schema(&mut self, _: &Schema, _: Duration) -> Result<bool, Error> {
        match *self {}
    }

    pub(crate) async fn put_schema(&mut self, _: &Schema, _: Duration) -> Result<(), Error> {
        match *self {}
    }

    pub(crate) async fn put_instance(
        &mut self,
        _: &Instance,
        _: &Schema,
        _: Presence,
        _: Duration,
    ) -> Result<Grant, Error> {
        match *self {}
    }

    pub(crate) async fn replace(
        &mut self,
        _: &Instance,
        _: &Schema,
        _: &str,
        _: Duration,
    ) -> Result<Grant, Error> {
        match *self {}
    }

    pub(crate) async fn beat(&mut self, _: &str, _: Duration) -> Result<(), Error> {
        match *self {}
    }

    pub(crate) async fn verify(&mut self, _: &Instance, _: &str, _: Duration) -> Result<(), Error> {
        match *self {}
    }

    pub(crate) async fn remove(&mut self, _: &Instance, _: &str, _: Duration) -> Result<(), Error> {
        match *self {}
    }
}
