use super::{Args, DEFAULT_LEARNER, Kind, input};
use crate::cli::environment;
use crate::cli::exit::Failure;
use crate::config::{EventsConfig, ModelConfig, MonitorConfig, Overlay, PipelineConfig, SchemaConfig};
use crate::schema::csv::{CsvError, Record, Sample, TargetColumn};

/// Name of the pipeline that an inferred schema is put into, as messages say it.
const NAME: &str = "replay";

/// What is to be learned from the file, and by what.
pub struct Plan {
    pub schema: SchemaConfig,
    pub model: ModelConfig,
    pub monitor: MonitorConfig,
    pub target: String,
    /// The column with the importance of each row.
    pub weight: Option<String>,
    /// What is odd about the columns.
    pub notes: Vec<String>,
}

impl Plan {
    /// From the configuration, or from the file itself.
    pub fn new(args: &Args) -> Result<Self, Failure> {
        let overlay = Overlay { learner: args.learner.as_deref(), model: &args.set };
        let (pipeline, target, weight, notes) = match &args.config {
            Some(path) => {
                let (_, pipeline) = overlay.load(path, environment())?;
                let target = match &args.target {
                    Some(target) => target.clone(),
                    None => configured_target(args, &pipeline.events)?,
                };
                let weight = pipeline.events.weight.as_deref().map(last_name);
                (pipeline, target, weight, Vec::new())
            }
            None => {
                let (schema, target, notes) = infer(args)?;
                let pipeline: PipelineConfig = overlay.of_schema(NAME, &schema, DEFAULT_LEARNER)?;
                (pipeline, target, None, notes)
            }
        };
        let PipelineConfig { schema, model, monitor, .. } = pipeline;
        Ok(Self { schema, model, monitor, target, weight, notes })
    }
}

/// The place of the label where events carry it, else the file's last column.
fn configured_target(args: &Args, events: &EventsConfig) -> Result<String, Failure> {
    if let Some(label) = &events.label {
        return Ok(last_name(label));
    }
    let (reader, _) = input::open(&args.file)?;
    Ok(last(reader.header()))
}

/// The last name of a place in a record: `label` of `/after/label`.
fn last_name(place: &str) -> String {
    match place.rsplit_once('/') {
        Some((_, name)) if place.starts_with('/') => name.replace("~1", "/").replace("~0", "~"),
        _ => place.strip_prefix("header:").unwrap_or(place).to_owned(),
    }
}

fn last(header: &[String]) -> String {
    header.last().expect("a header has a column").clone()
}

/// The schema that the file shows, the target, and notes on how the columns were taken.
fn infer(args: &Args) -> Result<(SchemaConfig, String, Vec<String>), Failure> {
    let failed = |error: CsvError| input::failure(&args.file, &error);
    let (mut reader, _) = input::open(&args.file)?;
    let header = reader.header().to_vec();
    let name = args.target.clone().unwrap_or_else(|| last(&header));
    let column = reader.column("target", &name).map_err(failed)?;
    if header.len() == 1 {
        return Err(failed(CsvError::NoFeatures { name }));
    }
    let categorical: Result<Vec<usize>, CsvError> =
        args.categorical.iter().map(|name| reader.column("categorical column", name)).collect();
    let categorical = categorical.map_err(failed)?;
    let (mut sample, mut target) = (Sample::new(header.len()), TargetColumn::new(column, header.len()));
    let mut record = Record::default();
    while reader.read(&mut record).map_err(failed)? {
        sample.update(&record);
        target.update(&record);
    }
    let regression = args.task.map(|task| task == Kind::Regression);
    let (task, classes) = target.task(&name, regression).map_err(failed)?;
    let features = sample.features(&header, &[column], &categorical);
    let notes = sample.notes(&header, &[&[column], &categorical[..]].concat());
    Ok((SchemaConfig { task, features, classes, classes_max: 32 }, name, notes))
}
