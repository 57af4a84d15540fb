//! `shop.reviews.v1`: what customers think.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use tonic::{Request, Response, Status};

use super::problem::{check_batch, invalid, not_found};
use super::{KEPT_MAX, limit, lock};
use crate::clock;
use crate::contract::shop::reviews::v1::reviews_service_server::ReviewsService;
use crate::contract::shop::reviews::v1::{
    CreateReviewRequest, CreateReviewResponse, GetAverageRatingRequest, GetAverageRatingResponse,
    GetReviewRequest, GetReviewResponse, ListReviewsByProductsRequest, ListReviewsByProductsResponse,
    ListReviewsByUsersRequest, ListReviewsByUsersResponse, MarkReviewHelpfulRequest,
    MarkReviewHelpfulResponse, Review,
};
use crate::world::{Index, PRODUCTS, REVIEWS, USERS, World, product_id, product_number, user_number};

/// How averages are given: the mistake that reviews 1.2.1 mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// 1.2.0 cut the fraction off: 4.9 was shown as 4.
    Cut,
    /// Since 1.2.1: two places.
    Hundredths,
}

/// The reviews.
#[derive(Debug)]
pub(crate) struct Reviews {
    world: World,
    rounding: Rounding,
    by_product: Index,
    by_user: Index,
    changes: Mutex<Changes>,
}

/// What callers did.
#[derive(Debug, Default)]
struct Changes {
    written: BTreeMap<i64, Review>,
    helped: BTreeMap<i64, BTreeSet<u32>>,
    last: i64,
}

impl Reviews {
    pub(crate) fn new(world: World, rounding: Rounding) -> Self {
        Self {
            world,
            rounding,
            by_product: Index::new(PRODUCTS, REVIEWS, |number| world.review(number).product),
            by_user: Index::new(USERS, REVIEWS, |number| world.review(number).user),
            changes: Mutex::new(Changes { last: i64::from(REVIEWS), ..Changes::default() }),
        }
    }

    fn review(&self, id: i64) -> Option<Review> {
        let changes = lock(&self.changes);
        let mut review = match changes.written.get(&id) {
            Some(written) => written.clone(),
            None => self.past(id)?,
        };
        review.helpful_count += changes.helped.get(&id).map_or(0, |users| users.len() as u32);
        Some(review)
    }

    /// A review of the world.
    fn past(&self, id: i64) -> Option<Review> {
        let number = u32::try_from(id).ok().filter(|number| (1..=REVIEWS).contains(number))?;
        let facts = self.world.review(number);
        Some(Review {
            id,
            product_id: product_id(facts.product),
            user_id: facts.user.to_string(),
            rating: facts.stars,
            title: self.world.review_title(number).to_owned(),
            text: self.world.review_text(number).to_owned(),
            sentiment: sentiment(facts.stars),
            helpful_count: facts.helpful,
            created_at: Some(facts.created_at),
            verified_purchase: facts.verified,
        })
    }

    /// Reviews that callers wrote and that belong, then those of the world; newest first.
    fn newest(&self, belongs: impl Fn(&Review) -> bool, past: &[u32]) -> Vec<i64> {
        let changes = lock(&self.changes);
        let written = changes.written.iter().rev().filter(|(_, review)| belongs(review)).map(|(id, _)| *id);
        written.chain(past.iter().rev().map(|number| i64::from(*number))).collect()
    }

    fn of_product(&self, id: &str) -> Vec<i64> {
        let number = product_number(id).unwrap_or(0);
        self.newest(|review| review.product_id == id, self.by_product.of(number))
    }

    fn of_user(&self, id: &str) -> Vec<i64> {
        let number = user_number(id).unwrap_or(0);
        self.newest(|review| review.user_id == id, self.by_user.of(number))
    }
}

#[tonic::async_trait]
impl ReviewsService for Reviews {
    async fn get_review(
        &self,
        request: Request<GetReviewRequest>,
    ) -> Result<Response<GetReviewResponse>, Status> {
        let id = request.get_ref().id;
        let review = Some(self.review(id).ok_or_else(|| not_found("Review", id))?);
        Ok(Response::new(GetReviewResponse { review }))
    }

    async fn list_reviews_by_products(
        &self,
        request: Request<ListReviewsByProductsRequest>,
    ) -> Result<Response<ListReviewsByProductsResponse>, Status> {
        let request = request.into_inner();
        check_batch("product_ids", &request.product_ids, 100)?;
        let wanted = |review: &Review| request.min_rating.is_none_or(|least| review.rating >= least);
        let limit = limit(request.limit, 5, 50);
        let of = |id: &String| {
            let reviews = self.of_product(id).into_iter().filter_map(|id| self.review(id));
            reviews.filter(wanted).take(limit).collect::<Vec<_>>()
        };
        let reviews = request.product_ids.iter().flat_map(of).collect();
        Ok(Response::new(ListReviewsByProductsResponse { reviews }))
    }

    async fn list_reviews_by_users(
        &self,
        request: Request<ListReviewsByUsersRequest>,
    ) -> Result<Response<ListReviewsByUsersResponse>, Status> {
        let request = request.into_inner();
        check_batch("user_ids", &request.user_ids, 50)?;
        let limit = limit(request.limit, 5, 50);
        let of = |id: &String| {
            self.of_user(id).into_iter().take(limit).filter_map(|id| self.review(id)).collect::<Vec<_>>()
        };
        let reviews = request.user_ids.iter().flat_map(of).collect();
        Ok(Response::new(ListReviewsByUsersResponse { reviews }))
    }

    async fn get_average_rating(
        &self,
        request: Request<GetAverageRatingRequest>,
    ) -> Result<Response<GetAverageRatingResponse>, Status> {
        let stars: Vec<_> = self
            .of_product(&request.get_ref().product_id)
            .into_iter()
            .filter_map(|id| self.review(id))
            .map(|review| review.rating)
            .collect();
        let average_rating = average(&stars).map(|mean| match self.rounding {
            Rounding::Cut => mean.trunc(),
            Rounding::Hundredths => (mean * 100.0).round() / 100.0,
        });
        Ok(Response::new(GetAverageRatingResponse { average_rating, review_count: stars.len() as u32 }))
    }

    async fn create_review(
        &self,
        request: Request<CreateReviewRequest>,
    ) -> Result<Response<CreateReviewResponse>, Status> {
        let request = request.into_inner();
        if product_number(&request.product_id).is_none() {
            return Err(invalid("product_id", "is not an id of a product"));
        }
        if user_number(&request.user_id).is_none() {
            return Err(invalid("user_id", "is not an id of a user"));
        }
        if !(1..=5).contains(&request.rating) {
            return Err(invalid("rating", "must be 1 to 5"));
        }
        if request.title.trim().is_empty() {
            return Err(invalid("title", "must not be empty"));
        }
        let mut changes = lock(&self.changes);
        changes.last += 1;
        let review = Review {
            id: changes.last,
            product_id: request.product_id,
            user_id: request.user_id,
            rating: request.rating,
            title: request.title,
            text: request.text,
            sentiment: sentiment(request.rating),
            helpful_count: 0,
            created_at: Some(clock::now()),
            verified_purchase: false,
        };
        changes.written.insert(review.id, review.clone());
        if changes.written.len() > KEPT_MAX {
            changes.written.pop_first();
        }
        Ok(Response::new(CreateReviewResponse { review: Some(review) }))
    }

    async fn mark_review_helpful(
        &self,
        request: Request<MarkReviewHelpfulRequest>,
    ) -> Result<Response<MarkReviewHelpfulResponse>, Status> {
        let request = request.into_inner();
        let user = user_number(&request.user_id).filter(|user| *user <= USERS);
        let user = user.ok_or_else(|| invalid("user_id", "names no user"))?;
        self.review(request.id).ok_or_else(|| not_found("Review", request.id))?;
        lock(&self.changes).helped.entry(request.id).or_default().insert(user);
        Ok(Response::new(MarkReviewHelpfulResponse { review: self.review(request.id) }))
    }
}

/// How glad so many stars sound.
fn sentiment(stars: u32) -> f32 {
    (stars as f32 - 3.0) / 2.5
}

fn average(stars: &[u32]) -> Option<f64> {
    (!stars.is_empty()).then(|| f64::from(stars.iter().sum::<u32>()) / stars.len() as f64)
}
