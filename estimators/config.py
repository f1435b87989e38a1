"""What can be tuned in the estimators; every default is the noise of good sensors at 1 kHz."""

from __future__ import annotations

from pydantic import Field, model_validator

from kilohertz.robots.config.yaml_file import Config


class JointObserverGains(Config):
    """Joint positions and velocities from encoder and measured velocity."""

    encoder_noise_rad: float = Field(
        default=1e-4, gt=0, le=0.1, description="SD of the encoder, per 1 kHz sample [rad]"
    )
    velocity_noise_rad_s: float = Field(
        default=0.02, gt=0, le=10, description="SD of the measured joint velocity, per 1 kHz sample [rad/s]"
    )
    accel_rad_s2: float = Field(
        default=15.0,
        gt=0,
        le=1e4,
        description="SD of the joint accelerations to follow [rad/s^2]: more is less lag and more noise",
    )
    accel_time_s: float = Field(
        default=0.03, gt=1e-4, le=10, description="time over which joint accelerations stay alike [s]"
    )


class ContactGains(Config):
    """When a contact counts as closed: a Schmitt trigger on its normal force."""

    make_fraction: float = Field(
        default=0.12, gt=0, lt=1, description="closes above this part of the robot's weight"
    )
    break_fraction: float = Field(
        default=0.05, gt=0, lt=1, description="opens below this part of the robot's weight"
    )
    make_time_s: float = Field(
        default=0.008, ge=0, le=0.5, description="debounce before closing where not planned [s]"
    )
    break_time_s: float = Field(
        default=0.015, ge=0, le=0.5, description="debounce before opening where not planned [s]"
    )
    landing_time_s: float = Field(
        default=0.02, ge=0, le=0.5, description="a foot is distrusted this long after it closes [s]"
    )
    torque_noise_Nm: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="SD of measured joint torque against the model, friction included [Nm]",
    )
    wrench_noise_fraction: float = Field(
        default=0.1, gt=0, le=10, description="SD of the whole robot's force balance, as part of its weight"
    )

    @model_validator(mode="after")
    def _hysteresis(self) -> ContactGains:
        if not self.break_fraction < self.make_fraction:
            raise ValueError("break_fraction should be below make_fraction")
        return self


class EstimatorGains(Config):
    """The estimator of the base (and of the joints); noises are standard deviations per 1 kHz sample."""

    gyro_noise_rad_s: float = Field(
        default=0.01, gt=0, le=1, description="SD of the gyro, per 1 kHz sample [rad/s]"
    )
    accel_noise_m_s2: float = Field(
        default=0.1, gt=0, le=10, description="SD of the accelerometer, per 1 kHz sample [m/s^2]"
    )
    gyro_bias_rad_s: float = Field(
        default=0.005, ge=0, le=1, description="SD of the gyro's bias at start [rad/s]"
    )
    accel_bias_m_s2: float = Field(
        default=0.05, ge=0, le=5, description="SD of the accelerometer's bias at start [m/s^2]"
    )
    gyro_bias_walk_rad_s_per_sqrt_s: float = Field(
        default=1e-5, ge=0, le=0.1, description="random walk of the gyro's bias [rad/s per sqrt(s)]"
    )
    accel_bias_walk_m_s2_per_sqrt_s: float = Field(
        default=1e-4, ge=0, le=1, description="random walk of the accelerometer's bias [m/s^2 per sqrt(s)]"
    )
    gyro_cutoff_Hz: float = Field(
        default=150.0,
        ge=0,
        le=1e4,
        description="low-pass on the base's angular velocity given out [Hz]; 0 for none",
    )
    foot_drift_m_per_sqrt_s: float = Field(
        default=2e-3, gt=0, le=1, description="creep of a closed foot [m per sqrt(s)]"
    )
    point_drift_m_per_sqrt_s: float = Field(
        default=1e-2,
        gt=0,
        le=1,
        description="the same of a robot on point feet: they roll, and creep where a sole would hold "
        "[m per sqrt(s)]",
    )
    foot_turn_rad_per_sqrt_s: float = Field(
        default=1e-2, gt=0, le=1, description="turning of a closed sole [rad per sqrt(s)]"
    )
    foot_spin_rad_per_sqrt_s: float = Field(
        default=3e-2,
        ge=0,
        le=1,
        description="turning of a closed sole about its normal, on top [rad per sqrt(s)]",
    )
    settling_time_s: float = Field(
        default=1.0, ge=0, le=100, description="two soles closed for this long hold each other [s]"
    )
    settled_factor: float = Field(
        default=0.2, gt=0, le=1, description="then they creep and turn this much less, and do not spin"
    )
    landing_drift_m_per_sqrt_s: float = Field(
        default=0.1, gt=0, le=10, description="creep of a foot that has just closed [m per sqrt(s)]"
    )
    landing_turn_rad_per_sqrt_s: float = Field(
        default=0.5, gt=0, le=10, description="turning of a sole that has just closed [rad per sqrt(s)]"
    )
    leg_bend_m: float = Field(
        default=2e-4,
        ge=0,
        le=0.1,
        description="SD of a foot's position beyond the encoders' noise: play, bending [m]",
    )
    leg_bend_rad: float = Field(
        default=5e-4,
        ge=0,
        le=0.5,
        description="SD of a sole's orientation beyond the encoders' noise: play, bending [rad]",
    )
    slip_gate: float = Field(
        default=30.0,
        ge=0,
        le=1e6,
        description="squared Mahalanobis distance at which a foot counts as slipped; 0 for never",
    )
    largest_disagreement: float = Field(
        default=45.0,
        gt=0,
        le=1e6,
        description="squared Mahalanobis distance by which every closed contact contradicts the IMU, over "
        "50 ms: more, and the estimate is not believed; both heels that land after a push reach 30",
    )
    largest_tilt_sd_deg: float = Field(
        default=5.0, gt=0, le=90, description="SD of the tilt; more, and the estimate is not believed [deg]"
    )
    largest_turn_deg: float = Field(
        default=7.0,
        gt=0,
        le=90,
        description="by which all closed soles seem to tilt together within a second: more, and the IMU is "
        "not believed, or the robot falls; one that rocks on its heels reaches 5 [deg]",
    )
    largest_contradiction_m_s2: float = Field(
        default=0.7,
        gt=0,
        le=100,
        description="acceleration by which legs and accelerometer contradict each other: more, and the IMU "
        "is not believed; turned by 5 deg it comes to 0.85, a walk on ice (friction 0.12) to 0.6 [m/s^2]",
    )
    use_sole_orientation: bool = Field(default=True, description="take it that closed soles do not turn")
    edge_fraction: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="a sole whose force acts this near its edge (1 is the middle) may be rolling over it",
    )
    flat_start_m: float = Field(
        default=4e-4, gt=0, le=0.1, description="SD of the soles' corners from one level plane at reset [m]"
    )
    flat_start_sigmas: float = Field(
        default=4.0,
        ge=0,
        le=100,
        description="at reset the soles' plane is taken as level if it is this many SD of the accelerometer "
        "or less from what that says; 0 for never",
    )
    joints: JointObserverGains = JointObserverGains()
    contact: ContactGains = ContactGains()
