use super::*;

/// Rows whose probabilities are compared.
const AT: [usize; 7] = [1, 9, 29, 59, 89, 119, 149];

/// Probabilities of River 0.26.1 on the same rows: `StandardScaler`, then `LogisticRegression` with the bias as a
/// feature that is always 1, called in our order (transform, predict, learn the model, learn the scaler).
fn compare(step: StepSize, rate: f32, river: [f32; 7], tolerance: f32) {
    let data = elec2();
    let out = data.teach(&mut LinearLearner::new(&config(step, rate), 0, &data.shape(BINARY)));
    for (row, expected) in AT.into_iter().zip(river) {
        let found = out.row(row)[1];
        assert!(
            (found - expected).abs() < tolerance,
            "{step:?} {rate} row {row}: {found}, River says {expected}"
        );
    }
}

/// River takes the plain gradient step, ours is a little shorter (see `step`), the less so the smaller the rate:
/// hence the tolerances. What larger rates do is compared with the reference in double precision.
#[test]
fn with_small_steps_the_probabilities_are_those_of_river() {
    let constant = [0.50012, 0.49802, 0.49909, 0.4995, 0.47465, 0.49065, 0.56355];
    compare(StepSize::Constant, 0.001, constant, 0.0005);
    let constant = [0.50125, 0.47719, 0.49521, 0.47965, 0.30586, 0.48724, 0.88587];
    compare(StepSize::Constant, 0.01, constant, 0.005);
    let adagrad = [0.5025, 0.50096, 0.49933, 0.51015, 0.45573, 0.48703, 0.61336];
    compare(StepSize::Adagrad, 0.01, adagrad, 0.005);
}
