//! The buckets and tables of a stack that hold the user's data.

use futures_util::future::try_join_all;

use crate::aws::bucket::{self, Bucket};
use crate::aws::stack::Resource;
use crate::aws::table;
use crate::context::Context;
use crate::core::event::{DOWN_COUNTS, Event, Kept};
use crate::core::{names, template};
use crate::error::{Error, Result};

/// The resources that hold the user's data.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Buckets for pictures.
    pub buckets: Vec<Bucket>,
    /// Names of tables.
    pub tables: Vec<String>,
}

impl Data {
    /// The data resources of a stack in an account.
    #[must_use]
    pub fn of(resources: &[Resource], account: &str) -> Self {
        let of_type = |wanted: &str| {
            resources.iter().filter(|r| r.resource_type == wanted).map(|r| r.physical_id.clone()).collect::<Vec<_>>()
        };
        let buckets = of_type("AWS::S3::Bucket").into_iter();
        Self {
            buckets: buckets.map(|name| Bucket::new(name, account)).collect(),
            tables: of_type("AWS::DynamoDB::Table"),
        }
    }

    /// The resources that still exist.
    pub async fn existing(self, cx: &Context) -> Result<Self> {
        let (mut buckets, mut tables) = (Vec::new(), Vec::new());
        for bucket in self.buckets {
            if bucket::exists(&cx.clients.s3, &bucket.name).await? {
                buckets.push(bucket);
            }
        }
        for table in self.tables {
            if table::exists(&cx.clients.dynamodb, &table).await? {
                tables.push(table);
            }
        }
        Ok(Self { buckets, tables })
    }

    /// The table of rows: the one that is not the picture table of another.
    #[must_use]
    pub fn table(&self) -> Option<&String> {
        let is_of_pictures = |name: &String| self.tables.iter().any(|other| *name == format!("{other}Pictures"));
        self.tables.iter().find(|name| !is_of_pictures(name))
    }

    /// Whether there are no data resources.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.tables.is_empty()
    }

    /// Reports the kept resources, the size of their contents, and how to adopt them.
    pub async fn report_kept(&self, cx: &Context) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        for kept in self.count_kept(cx).await? {
            cx.events.emit(kept);
        }
        let usual_table = template::read(template::BUILT_IN)
            .ok()
            .and_then(|template| template.parameters.get("TableName").cloned().flatten());
        let usual_bucket = |bucket: &Bucket| names::picture_bucket(cx.stack(), &bucket.owner, cx.region());
        let bucket = self.buckets.iter().find(|bucket| bucket.name != usual_bucket(bucket));
        let table = self.table().filter(|table| Some(*table) != usual_table.as_ref());
        cx.events.emit(Event::Adoptable { bucket: bucket.map(|bucket| bucket.name.clone()), table: table.cloned() });
        Ok(())
    }

    async fn count_kept(&self, cx: &Context) -> Result<Vec<Event>> {
        let (s3, dynamodb) = (&cx.clients.s3, &cx.clients.dynamodb);
        let lost = |kind: &str, name: &str| Error::new(format!("{kind} `{name}` was to be kept, but it is gone"));
        let buckets = self.buckets.iter().map(async |bucket| {
            let (there, count) =
                tokio::try_join!(bucket::exists(s3, &bucket.name), bucket::count(s3, bucket, DOWN_COUNTS))?;
            let kept = Event::KeptData { kind: Kept::Bucket, name: bucket.name.clone(), count };
            there.then_some(kept).ok_or_else(|| lost("bucket", &bucket.name))
        });
        let tables = self.tables.iter().map(async |name| {
            let (there, count) =
                tokio::try_join!(table::exists(dynamodb, name), table::count(dynamodb, name, DOWN_COUNTS))?;
            let kept = Event::KeptData { kind: Kept::Table, name: name.clone(), count };
            there.then_some(kept).ok_or_else(|| lost("table", name))
        });
        let (buckets, tables) = tokio::try_join!(try_join_all(buckets), try_join_all(tables))?;
        Ok(buckets.into_iter().chain(tables).collect())
    }
}
