//! `shop.users.v2`: the same customers in AIP style: resource names, masks.

use std::collections::BTreeMap;
use std::sync::Mutex;

use prost_types::FieldMask;
use tonic::{Request, Response, Status};

use super::lock;
use super::page::Page;
use super::problem::{check_batch, invalid, not_found};
use super::users_v1::preferences;
use crate::contract::google::r#type::Date;
use crate::contract::shop::users::v2::users_service_server::UsersService;
use crate::contract::shop::users::v2::{
    BatchGetUsersRequest, BatchGetUsersResponse, GetUserRequest, ListUsersRequest, ListUsersResponse,
    UpdateUserRequest, User, UserState,
};
use crate::world::{Person, USERS, World, user_number};

/// The teams that users belong to.
const TEAMS: [&str; 3] = ["blue", "green", "red"];

/// The customers, second edition.
#[derive(Debug)]
pub(crate) struct UsersV2 {
    world: World,
    changed: Mutex<BTreeMap<u32, User>>,
}

impl UsersV2 {
    pub(crate) fn new(world: World) -> Self {
        Self { world, changed: Mutex::default() }
    }

    fn user(&self, number: u32) -> User {
        let changed = lock(&self.changed).get(&number).cloned();
        changed.unwrap_or_else(|| user(&self.world.person(number)))
    }
}

#[tonic::async_trait]
impl UsersService for UsersV2 {
    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<User>, Status> {
        let request = request.into_inner();
        let user = self.user(named(&request.name)?);
        let wanted = match request.read_mask {
            Some(mask) => copy(&user, User::default(), &mask, "read_mask")?,
            None => user,
        };
        Ok(Response::new(wanted))
    }

    async fn batch_get_users(
        &self,
        request: Request<BatchGetUsersRequest>,
    ) -> Result<Response<BatchGetUsersResponse>, Status> {
        let ids = request.into_inner().ids;
        check_batch("ids", &ids, 100)?;
        let numbers = ids.iter().filter_map(|id| user_number(id).filter(|number| *number <= USERS));
        Ok(Response::new(BatchGetUsersResponse { users: numbers.map(|number| self.user(number)).collect() }))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        let request = request.into_inner();
        let page = Page::read(request.page_size, &request.page_token, &request.parent)?;
        let team = match request.parent.as_str() {
            "" => None,
            parent => Some(team(parent)?),
        };
        let numbers: Vec<_> = (1..=USERS)
            .filter(|number| team.is_none_or(|team| *number as usize % TEAMS.len() == team))
            .collect();
        Ok(Response::new(ListUsersResponse {
            users: numbers[page.range(numbers.len())].iter().map(|number| self.user(*number)).collect(),
            next_page_token: page.next(numbers.len()),
            total_size: numbers.len() as i32,
        }))
    }

    async fn update_user(&self, request: Request<UpdateUserRequest>) -> Result<Response<User>, Status> {
        let request = request.into_inner();
        let new = request.user.ok_or_else(|| invalid("user", "is missing"))?;
        let number = named(&new.name)?;
        let mask = request.update_mask.unwrap_or_else(|| filled(&new));
        let fixed = ["name", "id", "email", "state", "create_time", "inviter"];
        if let Some(path) = mask.paths.iter().find(|path| fixed.contains(&path.as_str())) {
            return Err(invalid("update_mask", &format!("names {path}, which cannot be changed")));
        }
        let user = copy(&new, self.user(number), &mask, "update_mask")?;
        if user.display_name.trim().is_empty() {
            return Err(invalid("user.display_name", "must not be empty"));
        }
        lock(&self.changed).insert(number, user.clone());
        Ok(Response::new(user))
    }
}

/// The number in `users/42`.
fn named(name: &str) -> Result<u32, Status> {
    let id = name.strip_prefix("users/").ok_or_else(|| invalid("name", "must look like users/42"))?;
    user_number(id).filter(|number| *number <= USERS).ok_or_else(|| not_found("User", name))
}

/// The place in [`TEAMS`] of `teams/blue`.
fn team(parent: &str) -> Result<usize, Status> {
    let name = parent.strip_prefix("teams/").ok_or_else(|| invalid("parent", "must look like teams/blue"))?;
    TEAMS.iter().position(|team| *team == name).ok_or_else(|| not_found("Team", parent))
}

/// The mask of all fields that may be changed and are not empty.
fn filled(user: &User) -> FieldMask {
    let fields = [
        ("display_name", !user.display_name.is_empty()),
        ("roles", !user.roles.is_empty()),
        ("birthday", user.birthday.is_some()),
        ("language_code", !user.language_code.is_empty()),
        ("preferences", user.preferences.is_some()),
        ("password", !user.password.is_empty()),
        ("address_line", user.address_line.is_some()),
    ];
    FieldMask { paths: fields.iter().filter(|(_, set)| *set).map(|(name, _)| (*name).to_owned()).collect() }
}

/// `onto` with the fields of `from` that the mask names. A password is taken and never given back.
fn copy(from: &User, mut onto: User, mask: &FieldMask, field: &str) -> Result<User, Status> {
    for path in &mask.paths {
        match path.as_str() {
            "*" if field == "read_mask" => return Ok(from.clone()),
            "name" => onto.name.clone_from(&from.name),
            "id" => onto.id.clone_from(&from.id),
            "display_name" => onto.display_name.clone_from(&from.display_name),
            "email" => onto.email.clone_from(&from.email),
            "state" => onto.state = from.state,
            "roles" => onto.roles.clone_from(&from.roles),
            "create_time" => onto.create_time = from.create_time,
            "birthday" => onto.birthday.clone_from(&from.birthday),
            "language_code" => onto.language_code.clone_from(&from.language_code),
            "preferences" => onto.preferences.clone_from(&from.preferences),
            "inviter" => onto.inviter.clone_from(&from.inviter),
            "password" => {}
            "address_line" => onto.address_line.clone_from(&from.address_line),
            unknown => return Err(invalid(field, &format!("names {unknown}, which is no field of User"))),
        }
    }
    Ok(onto)
}

fn user(person: &Person) -> User {
    let bits = person.trait_bits;
    let (postal_code, city, country) = person.town;
    let state = match bits % 20 {
        0 => UserState::Suspended,
        1 | 2 => UserState::Unconfirmed,
        _ => UserState::Active,
    };
    let birthday =
        Date { year: 1950 + (bits % 55) as i32, month: 1 + (bits % 12) as i32, day: 1 + (bits % 28) as i32 };
    let roles: &[&str] = match person.number {
        1 => &["admin", "support"],
        2..=20 => &["support"],
        _ => &["customer"],
    };
    User {
        name: format!("users/{}", person.number),
        id: person.number.to_string(),
        display_name: person.name(),
        email: person.email(),
        state: state.into(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        create_time: Some(person.joined()),
        birthday: (bits & 64 == 0).then_some(birthday),
        language_code: country.to_lowercase(),
        preferences: Some(preferences(bits)),
        inviter: if bits & 128 == 0 {
            format!("users/{}", 1 + bits % u64::from(USERS))
        } else {
            String::new()
        },
        password: String::new(),
        address_line: Some(format!("{} {}, {postal_code} {city}", person.street, person.house)),
    }
}
