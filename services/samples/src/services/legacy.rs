//! `demo.echo.v1.LegacyService`: the deprecated one.

use tonic::{Request, Response, Status};

use crate::contract::demo::echo::v1::legacy_service_server::LegacyService;
use crate::contract::demo::echo::v1::{GetLabelRequest, GetLabelResponse};

/// The old service.
#[derive(Debug)]
pub(crate) struct Legacy;

#[tonic::async_trait]
impl LegacyService for Legacy {
    async fn get_label(
        &self,
        request: Request<GetLabelRequest>,
    ) -> Result<Response<GetLabelResponse>, Status> {
        let label = request.into_inner().record.label().to_owned();
        Ok(Response::new(GetLabelResponse { label: Some(label) }))
    }
}
