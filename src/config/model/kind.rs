use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LearnerKind {
    /// Experts of all families and rates, combined online; the choice where nothing speaks for another.
    Auto,
    /// Logistic, softmax or least squares, by the task.
    Linear,
    /// Sparse and hashed: FTRL-Proximal, or Vowpal Wabbit's steps.
    Ftrl,
    /// The nearest of the rows learned last.
    Knn,
    /// Nearest neighbours with self-adjusting memory.
    SamKnn,
    /// Naive Bayes: normal numbers, counted categories; a classification.
    NaiveBayes,
    /// The shares of the classes so far; a classification.
    Majority,
    /// The label that was learned last.
    NoChange,
    /// The mean of the values so far; a regression.
    Mean,
    /// Multi-layer perceptron.
    Mlp,
    /// Hoeffding tree.
    HoeffdingTree,
    /// Hoeffding adaptive tree: branches that went bad are replaced.
    HoeffdingAdaptiveTree,
    /// Adaptive random forest.
    Arf,
    /// Streaming random patches: a forest whose trees each see some columns.
    Srp,
    /// Online bagging of Hoeffding trees.
    OnlineBagging,
    /// Leveraging bagging: heavier weights, and the worst tree is replaced on drift.
    LeveragingBagging,
    /// Online gradient boosting.
    Boosting,
    /// Learners of one family with different settings, which race along the stream; the champion predicts.
    Race,
}

impl LearnerKind {
    pub const ALL: [Self; 18] = [
        Self::Auto,
        Self::Linear,
        Self::Ftrl,
        Self::Knn,
        Self::SamKnn,
        Self::NaiveBayes,
        Self::Majority,
        Self::NoChange,
        Self::Mean,
        Self::Mlp,
        Self::HoeffdingTree,
        Self::HoeffdingAdaptiveTree,
        Self::Arf,
        Self::Srp,
        Self::OnlineBagging,
        Self::LeveragingBagging,
        Self::Boosting,
        Self::Race,
    ];

    /// The learner of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Linear => "linear",
            Self::Ftrl => "ftrl",
            Self::Knn => "knn",
            Self::SamKnn => "sam_knn",
            Self::NaiveBayes => "naive_bayes",
            Self::Majority => "majority",
            Self::NoChange => "no_change",
            Self::Mean => "mean",
            Self::Mlp => "mlp",
            Self::HoeffdingTree => "hoeffding_tree",
            Self::HoeffdingAdaptiveTree => "hoeffding_adaptive_tree",
            Self::Arf => "arf",
            Self::Srp => "srp",
            Self::OnlineBagging => "online_bagging",
            Self::LeveragingBagging => "leveraging_bagging",
            Self::Boosting => "boosting",
            Self::Race => "race",
        }
    }

    /// The section under `model` that holds its settings; a name that no section has where it has none.
    pub fn section(self) -> &'static str {
        match self {
            Self::HoeffdingTree | Self::HoeffdingAdaptiveTree => "tree",
            Self::Arf | Self::Srp => "forest",
            Self::OnlineBagging | Self::LeveragingBagging => "bagging",
            other => other.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learner_has_the_name_that_a_configuration_gives_it() {
        for kind in LearnerKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(LearnerKind::named(kind.name()), Some(kind));
        }
        assert_eq!(LearnerKind::named("oracle"), None);
    }
}
