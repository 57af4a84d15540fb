//! `demo.math.v1`: a sum.

use tonic::{Request, Response, Status};

use crate::contract::demo::math::v1::math_service_server::MathService;
use crate::contract::demo::math::v1::{AddRequest, AddResponse};

/// Arithmetic.
#[derive(Debug)]
pub(crate) struct Math;

#[tonic::async_trait]
impl MathService for Math {
    async fn add(&self, request: Request<AddRequest>) -> Result<Response<AddResponse>, Status> {
        let AddRequest { a, b } = request.into_inner();
        let sum = a
            .checked_add(b)
            .ok_or_else(|| Status::out_of_range(format!("{a} + {b} takes more than 32 bits")))?;
        Ok(Response::new(AddResponse { sum }))
    }
}
