//! `shop.catalog.v1`: products and categories. Serves both editions of the contract: 1.4 is 1.5
//! without one field and one RPC.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tonic::{Request, Response, Status};

use super::page::Page;
use super::problem::{check_batch, invalid, not_found, not_now};
use super::{KEPT_MAX, limit, lock};
use crate::clock;
use crate::contract::shop::catalog::v1::catalog_service_server::CatalogService;
use crate::contract::shop::catalog::v1::{
    AdjustStockRequest, AdjustStockResponse, BatchGetCategoriesRequest, BatchGetCategoriesResponse,
    BatchGetProductsRequest, BatchGetProductsResponse, Category, CreateProductRequest, CreateProductResponse,
    GetCategoryRequest, GetCategoryResponse, GetProductRequest, GetProductResponse, ListCategoriesResponse,
    ListProductsRequest, ListProductsResponse, Product, ProductOrder, ProductStatus, SuggestProductsRequest,
    SuggestProductsResponse,
};
use crate::world::{CategoryFacts, PRODUCTS, ProductFacts, World, product_id, product_number};

/// Which edition of the contract is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    /// 1.4: no `delivery_time`, no `SuggestProducts`.
    Four,
    /// 1.5.
    Five,
}

/// The catalog.
#[derive(Debug)]
pub(crate) struct Catalog {
    world: World,
    edition: Edition,
    categories: Vec<Category>,
    /// The products of the world, newest first: each list looks at all of them.
    products: Vec<ProductFacts>,
    changes: Mutex<Changes>,
}

/// What callers did.
#[derive(Debug, Default)]
struct Changes {
    stock: BTreeMap<u32, u32>,
    added: BTreeMap<u32, Product>,
    last: u32,
}

impl Catalog {
    pub(crate) fn new(world: World, edition: Edition) -> Self {
        let changes = Changes { last: PRODUCTS, ..Changes::default() };
        let products = (1..=PRODUCTS).rev().map(|number| world.product(number)).collect();
        Self { world, edition, categories: categories(world), products, changes: Mutex::new(changes) }
    }

    fn product(&self, number: u32) -> Option<Product> {
        let changes = lock(&self.changes);
        let mut product = match changes.added.get(&number) {
            Some(added) => added.clone(),
            None if (1..=PRODUCTS).contains(&number) => self.world.whole_product(&self.world.product(number)),
            None => return None,
        };
        if let Some(stock) = changes.stock.get(&number) {
            product.stock = Some(*stock);
        }
        if self.edition == Edition::Four {
            product.delivery_time = None;
        }
        Some(product)
    }

    fn product_by_id(&self, id: &str) -> Result<Product, Status> {
        product_number(id).and_then(|number| self.product(number)).ok_or_else(|| not_found("Product", id))
    }

    /// The products that a request asks for, in its order.
    fn chosen(&self, request: &ListProductsRequest) -> Vec<ProductFacts> {
        let added: Vec<_> = lock(&self.changes).added.iter().map(|(number, p)| facts(*number, p)).collect();
        let all = added.into_iter().rev().chain(self.products.iter().copied());
        let mut chosen: Vec<_> = all
            .filter(|product| {
                let below = request
                    .category_id
                    .is_none_or(|id| product.category == id || product.category / 10 == id);
                below && (request.status == 0 || request.status == product.status as i32)
            })
            .collect();
        match request.order_by() {
            ProductOrder::Unspecified | ProductOrder::Newest => {}
            ProductOrder::PriceAsc => chosen.sort_by_key(|product| product.price_cents),
            ProductOrder::PriceDesc => chosen.sort_by_key(|product| std::cmp::Reverse(product.price_cents)),
        }
        chosen
    }
}

#[tonic::async_trait]
impl CatalogService for Catalog {
    async fn get_product(
        &self,
        request: Request<GetProductRequest>,
    ) -> Result<Response<GetProductResponse>, Status> {
        let product = self.product_by_id(&request.get_ref().id)?;
        Ok(Response::new(GetProductResponse { product: Some(product) }))
    }

    async fn batch_get_products(
        &self,
        request: Request<BatchGetProductsRequest>,
    ) -> Result<Response<BatchGetProductsResponse>, Status> {
        let ids = request.into_inner().ids;
        check_batch("ids", &ids, 100)?;
        // Backwards, so that nobody comes to rely on positions.
        let products = ids.iter().rev().filter_map(|id| self.product(product_number(id)?)).collect();
        Ok(Response::new(BatchGetProductsResponse { products }))
    }

    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let request = request.into_inner();
        let filter = format!("{:?} {} {}", request.category_id, request.status, request.order_by);
        let page = Page::read(request.page_size, &request.page_token, &filter)?;
        let chosen = self.chosen(&request);
        Ok(Response::new(ListProductsResponse {
            products: chosen[page.range(chosen.len())]
                .iter()
                .filter_map(|p| self.product(p.number))
                .collect(),
            next_page_token: page.next(chosen.len()),
            total_size: chosen.len() as u32,
        }))
    }

    async fn suggest_products(
        &self,
        request: Request<SuggestProductsRequest>,
    ) -> Result<Response<SuggestProductsResponse>, Status> {
        if self.edition == Edition::Four {
            return Err(Status::unimplemented("SuggestProducts came with catalog 1.5"));
        }
        let request = request.into_inner();
        let text = request.text.trim().to_lowercase();
        if text.chars().count() < 2 {
            return Err(invalid("text", "must have at least two characters"));
        }
        let typed: Vec<_> = text.split_whitespace().collect();
        let matches = |title: &str| {
            let title = title.to_lowercase();
            typed.iter().all(|start| title.split(' ').any(|word| word.starts_with(start)))
        };
        let products = (1..=PRODUCTS)
            .rev()
            .filter(|number| matches(&self.world.title(&self.world.product(*number))))
            .take(limit(request.limit, 8, 20))
            .filter_map(|number| self.product(number))
            .collect();
        Ok(Response::new(SuggestProductsResponse { products }))
    }

    #[expect(deprecated, reason = "a service goes on filling a deprecated field as long as anybody reads it")]
    async fn create_product(
        &self,
        request: Request<CreateProductRequest>,
    ) -> Result<Response<CreateProductResponse>, Status> {
        let mut product = request.into_inner().product.ok_or_else(|| invalid("product", "is missing"))?;
        if product.title.trim().is_empty() {
            return Err(invalid("product.title", "must not be empty"));
        }
        if product.price.as_ref().is_none_or(|price| price.units < 0) {
            return Err(invalid("product.price", "must be given and not negative"));
        }
        if self.world.category(product.category_id).is_none() {
            return Err(invalid("product.category_id", "names no category"));
        }
        let mut changes = lock(&self.changes);
        changes.last += 1;
        let number = changes.last;
        product.id = product_id(number);
        product.created_at = Some(clock::now());
        product.stock = Some(0);
        product.sku = format!("{}-{number:06}", product.category_id);
        product.delivery_time = None;
        if product.status() == ProductStatus::Unspecified {
            product.set_status(ProductStatus::Active);
        }
        changes.added.insert(number, product.clone());
        if changes.added.len() > KEPT_MAX {
            changes.added.pop_first();
        }
        Ok(Response::new(CreateProductResponse { product: Some(product) }))
    }

    async fn adjust_stock(
        &self,
        request: Request<AdjustStockRequest>,
    ) -> Result<Response<AdjustStockResponse>, Status> {
        let request = request.into_inner();
        let id = request.product_id.as_str();
        let number = product_number(id).ok_or_else(|| not_found("Product", id))?;
        let facts = self.product_by_id(id)?;
        let counted = facts.stock.ok_or_else(|| not_now(id, "is not counted"))?;
        let mut changes = lock(&self.changes);
        let before = changes.stock.get(&number).copied().unwrap_or(counted);
        let Some(after) = before.checked_add_signed(request.delta) else {
            return Err(not_now(id, &format!("has {before} pieces in stock")));
        };
        changes.stock.insert(number, after);
        drop(changes);
        let product = Some(self.product_by_id(id)?);
        Ok(Response::new(AdjustStockResponse { product, previous_stock: before }))
    }

    async fn get_category(
        &self,
        request: Request<GetCategoryRequest>,
    ) -> Result<Response<GetCategoryResponse>, Status> {
        let id = request.get_ref().id;
        let found = self.categories.iter().find(|category| category.id == id).cloned();
        let category = Some(found.ok_or_else(|| not_found("Category", id))?);
        Ok(Response::new(GetCategoryResponse { category }))
    }

    async fn batch_get_categories(
        &self,
        request: Request<BatchGetCategoriesRequest>,
    ) -> Result<Response<BatchGetCategoriesResponse>, Status> {
        let ids = request.into_inner().ids;
        check_batch("ids", &ids, 200)?;
        let categories =
            self.categories.iter().filter(|category| ids.contains(&category.id)).cloned().collect();
        Ok(Response::new(BatchGetCategoriesResponse { categories }))
    }

    async fn list_categories(
        &self,
        _request: Request<()>,
    ) -> Result<Response<ListCategoriesResponse>, Status> {
        Ok(Response::new(ListCategoriesResponse { categories: self.categories.clone() }))
    }
}

fn facts(number: u32, product: &Product) -> ProductFacts {
    let price = product.price.clone().unwrap_or_default();
    let cents = price.units.saturating_mul(100).saturating_add(i64::from(price.nanos / 10_000_000));
    ProductFacts {
        number,
        category: product.category_id,
        price_cents: u64::try_from(cents).unwrap_or(0),
        status: product.status(),
    }
}

/// All categories with parents, children and counts. Products are never removed and seldom added, so
/// the counts of the world will do.
fn categories(world: World) -> Vec<Category> {
    let mut counts = BTreeMap::<u32, u32>::new();
    for number in 1..=PRODUCTS {
        let leaf = world.product(number).category;
        *counts.entry(leaf).or_default() += 1;
        *counts.entry(leaf / 10).or_default() += 1;
    }
    let all = world.categories();
    let category = |facts: &CategoryFacts| Category {
        id: facts.id,
        name: facts.name.to_owned(),
        parent: None,
        child_ids: all.iter().filter(|other| other.parent == facts.id).map(|other| other.id).collect(),
        product_count: counts.get(&facts.id).copied().unwrap_or(0),
    };
    let with_parent = |facts: &CategoryFacts| {
        let parent = all.iter().find(|other| other.id == facts.parent);
        Category { parent: parent.map(|parent| Box::new(category(parent))), ..category(facts) }
    };
    all.iter().map(with_parent).collect()
}
