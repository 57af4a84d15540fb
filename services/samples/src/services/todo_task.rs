//! `todo.v1.TaskService`: tasks of a to-do list.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tonic::{Request, Response, Status};

use super::page::Page;
use super::problem::{check_batch, invalid, not_found};
use super::todo_user::ACCOUNTS;
use super::{KEPT_MAX, lock};
use crate::clock;
use crate::contract::todo::v1::task_service_server::TaskService;
use crate::contract::todo::v1::{
    CreateTaskRequest, CreateTaskResponse, DeleteTaskRequest, GetTaskRequest, GetTaskResponse,
    ListTasksByUsersRequest, ListTasksByUsersResponse, ListTasksRequest, ListTasksResponse, Task,
    TaskPriority, TaskStatus, UpdateTaskRequest, UpdateTaskResponse,
};
use crate::world::World;

/// How many tasks there are at the beginning.
const TASKS: u32 = 1_000;

/// The tasks. They are few and change often, so all of them are kept as they are.
#[derive(Debug)]
pub(crate) struct Tasks {
    tasks: Mutex<BTreeMap<u64, Task>>,
}

impl Tasks {
    pub(crate) fn new(world: World) -> Self {
        let tasks = (1..=TASKS).map(|number| (u64::from(number), world.task(number, ACCOUNTS))).collect();
        Self { tasks: Mutex::new(tasks) }
    }
}

#[tonic::async_trait]
impl TaskService for Tasks {
    async fn create_task(
        &self,
        request: Request<CreateTaskRequest>,
    ) -> Result<Response<CreateTaskResponse>, Status> {
        let request = request.into_inner();
        if request.title.trim().is_empty() {
            return Err(invalid("title", "must not be empty"));
        }
        if request.user_id == 0 {
            return Err(invalid("user_id", "names no account"));
        }
        let priority = match request.priority() {
            TaskPriority::Unspecified => TaskPriority::Normal,
            priority => priority,
        };
        let mut tasks = lock(&self.tasks);
        let id = tasks.last_key_value().map_or(1, |(last, _)| last + 1);
        let task = Task {
            id,
            user_id: request.user_id,
            title: request.title,
            description: request.description,
            status: TaskStatus::Open.into(),
            priority: priority.into(),
            due_at: request.due_at,
            estimate: request.estimate,
            completed_at: None,
            labels: request.labels,
        };
        tasks.insert(id, task.clone());
        if tasks.len() > KEPT_MAX {
            tasks.pop_first();
        }
        Ok(Response::new(CreateTaskResponse { task: Some(task) }))
    }

    async fn get_task(&self, request: Request<GetTaskRequest>) -> Result<Response<GetTaskResponse>, Status> {
        let id = request.get_ref().id;
        let task = lock(&self.tasks).get(&id).cloned();
        Ok(Response::new(GetTaskResponse { task: Some(task.ok_or_else(|| not_found("Task", id))?) }))
    }

    async fn list_tasks(
        &self,
        request: Request<ListTasksRequest>,
    ) -> Result<Response<ListTasksResponse>, Status> {
        let request = request.into_inner();
        let filter = format!("{:?} {}", request.user_id, request.status);
        let page = Page::read(request.page_size, &request.page_token, &filter)?;
        let tasks = lock(&self.tasks);
        let wanted = |task: &&Task| {
            request.user_id.is_none_or(|user| task.user_id == user)
                && (request.status == 0 || task.status == request.status)
        };
        let mut chosen: Vec<_> = tasks.values().filter(wanted).collect();
        chosen.sort_by_key(|task| due(task));
        Ok(Response::new(ListTasksResponse {
            tasks: chosen[page.range(chosen.len())].iter().copied().cloned().collect(),
            next_page_token: page.next(chosen.len()),
        }))
    }

    async fn list_tasks_by_users(
        &self,
        request: Request<ListTasksByUsersRequest>,
    ) -> Result<Response<ListTasksByUsersResponse>, Status> {
        let request = request.into_inner();
        check_batch("user_ids", &request.user_ids, 100)?;
        let tasks = lock(&self.tasks);
        let wanted = |task: &&Task| {
            request.user_ids.contains(&task.user_id) && (request.status == 0 || task.status == request.status)
        };
        Ok(Response::new(ListTasksByUsersResponse {
            tasks: tasks.values().filter(wanted).cloned().collect(),
        }))
    }

    async fn update_task(
        &self,
        request: Request<UpdateTaskRequest>,
    ) -> Result<Response<UpdateTaskResponse>, Status> {
        let request = request.into_inner();
        if request.title.as_ref().is_some_and(|title| title.trim().is_empty()) {
            return Err(invalid("title", "must not be empty"));
        }
        let mut tasks = lock(&self.tasks);
        let task = tasks.get_mut(&request.id).ok_or_else(|| not_found("Task", request.id))?;
        if let Some(status) = request.status {
            let done = status == TaskStatus::Done as i32;
            task.completed_at = if done { task.completed_at.or_else(|| Some(clock::now())) } else { None };
            task.status = status;
        }
        task.title = request.title.unwrap_or_else(|| std::mem::take(&mut task.title));
        task.description = request.description.unwrap_or_else(|| std::mem::take(&mut task.description));
        task.priority = request.priority.unwrap_or(task.priority);
        task.due_at = request.due_at.or(task.due_at);
        Ok(Response::new(UpdateTaskResponse { task: Some(task.clone()) }))
    }

    async fn delete_task(&self, request: Request<DeleteTaskRequest>) -> Result<Response<()>, Status> {
        lock(&self.tasks).remove(&request.get_ref().id);
        Ok(Response::new(()))
    }
}

/// When a task is due, those without a date last; then by number.
fn due(task: &Task) -> (i64, u64) {
    (task.due_at.as_ref().map_or(i64::MAX, |at| at.seconds), task.id)
}
