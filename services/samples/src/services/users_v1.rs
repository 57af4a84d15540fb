//! `shop.users.v1`: customers.

use std::collections::BTreeMap;
use std::sync::Mutex;

use prost_types::{Struct, Value, value};
use tonic::{Request, Response, Status};

use super::lock;
use super::page::Page;
use super::problem::{check_batch, invalid, not_found};
use crate::contract::shop::users::v1::users_service_server::UsersService;
use crate::contract::shop::users::v1::{
    BatchGetUsersRequest, BatchGetUsersResponse, GetUserRequest, GetUserResponse, ListUsersRequest,
    ListUsersResponse, PostalAddress, UpdateUserRequest, UpdateUserResponse, User, UserRole,
};
use crate::world::{Person, USERS, World, user_number};

/// The customers, first edition.
#[derive(Debug)]
pub(crate) struct UsersV1 {
    world: World,
    changed: Mutex<BTreeMap<u32, User>>,
}

impl UsersV1 {
    pub(crate) fn new(world: World) -> Self {
        Self { world, changed: Mutex::default() }
    }

    fn user(&self, number: u32) -> User {
        let changed = lock(&self.changed).get(&number).cloned();
        changed.unwrap_or_else(|| user(&self.world.person(number)))
    }

    fn number(id: &str) -> Option<u32> {
        user_number(id).filter(|number| *number <= USERS)
    }
}

#[tonic::async_trait]
impl UsersService for UsersV1 {
    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
        let id = &request.get_ref().id;
        let number = Self::number(id).ok_or_else(|| not_found("User", id))?;
        Ok(Response::new(GetUserResponse { user: Some(self.user(number)) }))
    }

    async fn batch_get_users(
        &self,
        request: Request<BatchGetUsersRequest>,
    ) -> Result<Response<BatchGetUsersResponse>, Status> {
        let ids = request.into_inner().ids;
        check_batch("ids", &ids, 100)?;
        // Backwards, so that nobody comes to rely on positions.
        let users =
            ids.iter().rev().filter_map(|id| Self::number(id)).map(|number| self.user(number)).collect();
        Ok(Response::new(BatchGetUsersResponse { users }))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        let request = request.into_inner();
        let page = Page::read(request.page_size, &request.page_token, &request.role.to_string())?;
        let wanted =
            |number: &u32| request.role == 0 || request.role == role(&self.world.person(*number)) as i32;
        let numbers: Vec<_> = (1..=USERS).filter(wanted).collect();
        Ok(Response::new(ListUsersResponse {
            users: numbers[page.range(numbers.len())].iter().map(|number| self.user(*number)).collect(),
            next_page_token: page.next(numbers.len()),
        }))
    }

    async fn update_user(
        &self,
        request: Request<UpdateUserRequest>,
    ) -> Result<Response<UpdateUserResponse>, Status> {
        let request = request.into_inner();
        let number = Self::number(&request.id).ok_or_else(|| not_found("User", &request.id))?;
        let mut user = self.user(number);
        if let Some(name) = request.display_name {
            if name.trim().is_empty() {
                return Err(invalid("display_name", "must not be empty"));
            }
            user.display_name = name;
        }
        if let Some(email) = request.email {
            if !email.contains('@') {
                return Err(invalid("email", "must contain an @"));
            }
            user.email = email;
        }
        user.nickname = request.nickname.unwrap_or(user.nickname);
        user.newsletter = request.newsletter.or(user.newsletter);
        user.preferences = request.preferences.or(user.preferences);
        lock(&self.changed).insert(number, user.clone());
        Ok(Response::new(UpdateUserResponse { user: Some(user) }))
    }
}

fn role(person: &Person) -> UserRole {
    match person.number {
        1 => UserRole::Admin,
        2..=20 => UserRole::Support,
        _ => UserRole::Customer,
    }
}

#[expect(deprecated, reason = "a service goes on filling a deprecated field as long as anybody reads it")]
fn user(person: &Person) -> User {
    let bits = person.trait_bits;
    let (postal_code, city, country_code) = person.town;
    User {
        id: person.number.to_string(),
        email: person.email(),
        display_name: person.name(),
        first_name: person.first.to_owned(),
        role: role(person).into(),
        created_at: Some(person.joined()),
        newsletter: (bits & 3 != 0).then_some(bits & 1 == 1),
        phone: (bits & 4 == 0).then(|| format!("+33 6 {:02} {:02} 00", bits % 97, bits % 89)),
        nickname: if bits & 8 == 0 {
            format!("{}{}", person.first.to_lowercase(), bits % 100)
        } else {
            String::new()
        },
        preferences: Some(preferences(bits)),
        avatar: avatar(person).into_bytes(),
        address: Some(PostalAddress {
            street: format!("{} {}", person.street, person.house),
            postal_code: postal_code.to_owned(),
            city: city.to_owned(),
            country_code: country_code.to_owned(),
        }),
        password_hash: format!("sample${bits:016x}"),
    }
}

/// Settings that a frontend might keep.
pub(super) fn preferences(bits: u64) -> Struct {
    let text = |text: &str| Value { kind: Some(value::Kind::StringValue(text.to_owned())) };
    let theme = text(if bits & 16 == 0 { "dark" } else { "light" });
    let columns = Value { kind: Some(value::Kind::NumberValue((2 + bits % 4) as f64)) };
    let beta = Value { kind: Some(value::Kind::BoolValue(bits & 32 == 0)) };
    let fields = [("theme", theme), ("columns", columns), ("beta", beta)];
    Struct { fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
}

/// A circle with initials.
fn avatar(person: &Person) -> String {
    let hue = person.trait_bits % 360;
    let initials: String =
        [person.first, person.last].iter().filter_map(|name| name.chars().next()).collect();
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><circle cx="20" cy="20" r="20" fill="hsl({hue} 45% 45%)"/><text x="20" y="26" font-size="16" fill="white" text-anchor="middle">{initials}</text></svg>"#
    )
}
