"""Parameters of the estimators; the default noises are those of good sensors at 1 kHz."""

from __future__ import annotations

from pydantic import Field, model_validator

from kilohertz.robots.config.yaml_file import Config


class JointObserverGains(Config):
    """Parameters of the observer that estimates joint states from encoders and measured velocities."""

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
        description="SD of the joint accelerations [rad/s^2]; a larger value gives less lag and more noise",
    )
    accel_time_s: float = Field(
        default=0.03, gt=1e-4, le=10, description="correlation time of the joint accelerations [s]"
    )


class ContactGains(Config):
    """Parameters of contact detection, a Schmitt trigger on the normal force of each contact."""

    make_fraction: float = Field(
        default=0.12,
        gt=0,
        lt=1,
        description="normal force above which a contact closes, as a fraction of the robot's weight",
    )
    break_fraction: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="normal force below which a contact opens, as a fraction of the robot's weight",
    )
    make_time_s: float = Field(
        default=0.008,
        ge=0,
        le=0.5,
        description="debounce time before a contact closes that is planned open [s]",
    )
    break_time_s: float = Field(
        default=0.015,
        ge=0,
        le=0.5,
        description="debounce time before a contact opens that is planned closed [s]",
    )
    landing_time_s: float = Field(
        default=0.02,
        ge=0,
        le=0.5,
        description="time after closing in which a contact has its landing noise [s]",
    )
    torque_noise_Nm: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="SD of the measured joint torque relative to the model, friction included [Nm]",
    )
    wrench_noise_fraction: float = Field(
        default=0.1, gt=0, le=10, description="SD of the robot's force balance, as a fraction of its weight"
    )

    @model_validator(mode="after")
    def _hysteresis(self) -> ContactGains:
        if not self.break_fraction < self.make_fraction:
            raise ValueError("break_fraction should be below make_fraction")
        return self


class ArmGains(Config):
    """Disturbance observer of a robot with a fixed base, which compensates what its model leaves out."""

    disturbance_per_s: float = Field(
        default=80.0,
        ge=0,
        le=1000,
        description="rate at which unmodelled joint torques are observed and compensated; 0 for never",
    )
    largest_compensation: float = Field(
        default=0.35, ge=0, le=1, description="largest compensation, as a fraction of each torque limit"
    )
    torque_delay_s: float = Field(
        default=0.002, ge=0, le=0.02, description="time from a sample to the torque that answers it [s]"
    )
    velocity_age_s: float = Field(
        default=0.0005,
        ge=0,
        le=0.02,
        description="age of a measured joint velocity relative to the position of the same sample: half a "
        "period if it is the difference of two positions [s]",
    )
    surprise_rad_s2: float = Field(
        default=0.6,
        gt=0,
        le=1e4,
        description="SD of the differences between actual and commanded joint accelerations, as long as the "
        "arm moves as commanded; a larger value gives more noise [rad/s^2]",
    )
    learn_friction: bool = Field(
        default=True,
        description="whether the friction of each joint is learnt and fed forward, which matters where a "
        "joint reverses",
    )


class OutsideGains(Config):
    """Parameters of the correction with poses of the base that were measured from outside."""

    position_noise_m: float = Field(
        default=0.005,
        gt=0,
        le=10,
        description="SD of each component of the position, if the measurement does not say it [m]",
    )
    rotation_noise_rad: float = Field(
        default=0.01,
        gt=0,
        le=3,
        description="SD of roll, pitch and yaw, if the measurement does not say it [rad]",
    )
    delay_s: float = Field(
        default=0.0, ge=0, le=5, description="age of a pose, if the measurement does not say it [s]"
    )
    gate: float = Field(
        default=25.0,
        gt=0,
        le=1e6,
        description="squared Mahalanobis distance of a component from the estimate above which a pose is "
        "ignored; 25 is five standard deviations",
    )


class EstimatorGains(Config):
    """Parameters of the base estimator and of the joint observer.

    Noises are standard deviations (SD) per sample at 1 kHz.
    """

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
        description="cut-off of the low-pass on the estimated angular velocity of the base [Hz]; 0 for none",
    )
    foot_drift_m_per_sqrt_s: float = Field(
        default=2e-3, gt=0, le=1, description="creep of a closed foot [m per sqrt(s)]"
    )
    foot_side_drift_m_per_sqrt_s: float = Field(
        default=6e-3,
        ge=0,
        le=1,
        description="additional creep of a closed sole to its sides, until it is settled [m per sqrt(s)]",
    )
    point_drift_m_per_sqrt_s: float = Field(
        default=1e-2,
        gt=0,
        le=1,
        description="creep of a closed point foot, which rolls, and creeps more than a sole [m per sqrt(s)]",
    )
    foot_turn_rad_per_sqrt_s: float = Field(
        default=1e-2, gt=0, le=1, description="rotation of a closed sole [rad per sqrt(s)]"
    )
    foot_spin_rad_per_sqrt_s: float = Field(
        default=3e-2,
        ge=0,
        le=1,
        description="additional rotation of a closed sole about its normal [rad per sqrt(s)]",
    )
    settling_time_s: float = Field(
        default=1.0, ge=0, le=100, description="time after which two closed soles count as settled [s]"
    )
    settled_factor: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="factor on creep and rotation of settled soles, which do not spin",
    )
    landing_drift_m_per_sqrt_s: float = Field(
        default=0.1, gt=0, le=10, description="creep of a foot that has just closed [m per sqrt(s)]"
    )
    landing_turn_rad_per_sqrt_s: float = Field(
        default=0.5, gt=0, le=10, description="rotation of a sole that has just closed [rad per sqrt(s)]"
    )
    leg_bend_m: float = Field(
        default=2e-4,
        ge=0,
        le=0.1,
        description="SD of a foot's position in addition to encoder noise, from backlash and bending [m]",
    )
    leg_bend_rad: float = Field(
        default=5e-4,
        ge=0,
        le=0.5,
        description="SD of a sole's orientation in addition to encoder noise, from backlash and bending "
        "[rad]",
    )
    adaptation_time_s: float = Field(
        default=0.2,
        ge=0,
        le=1000,
        description="time constant with which the noise of contact poses, SD leg_bend and encoder noise, is "
        "increased to that of the innovations; 0 for never [s]",
    )
    largest_bend_factor: float = Field(
        default=50.0, ge=1, le=1e6, description="largest factor on this SD by adaptation"
    )
    slip_gate: float = Field(
        default=30.0,
        ge=0,
        le=1e6,
        description="squared Mahalanobis distance above which a foot counts as slipping; 0 for never",
    )
    largest_disagreement: float = Field(
        default=60.0,
        gt=0,
        le=1e6,
        description="squared Mahalanobis distance of all closed contacts from the IMU, averaged over "
        "50 ms, above which the estimate counts as diverged; both heels that land after a push reach 30",
    )
    largest_tilt_sd_deg: float = Field(
        default=5.0,
        gt=0,
        le=90,
        description="SD of the tilt above which the estimate counts as diverged [deg]",
    )
    largest_turn_deg: float = Field(
        default=7.0,
        gt=0,
        le=90,
        description="common rotation of all closed soles within a second above which the IMU counts as "
        "wrong, or the robot as falling; a robot that rocks on its heels reaches 5 [deg]",
    )
    largest_gyro_turn_deg: float = Field(
        default=1.5,
        gt=0,
        le=90,
        description="rotation of the standing soles within 0.3 s that can only be an error of the gyro, "
        "above which the IMU counts as wrong; a real walk reaches 1.0, a push 0.6 [deg]",
    )
    largest_contradiction_m_s2: float = Field(
        default=0.7,
        gt=0,
        le=100,
        description="difference between the accelerations from legs and accelerometer above which the IMU "
        "counts as wrong; an IMU rotated by 5 deg gives 0.85, a walk on ice (friction 0.12) "
        "0.6 [m/s^2]",
    )
    largest_opposed_power_m2_s3: float = Field(
        default=2.5,
        gt=0,
        le=1e4,
        description="product of acceleration and velocity difference between IMU and legs, averaged over "
        "30 ms, above which the IMU counts as suddenly rotated; a real walk reaches 1.1 [m^2/s^3]",
    )
    use_sole_orientation: bool = Field(
        default=True, description="whether the filter uses the orientation of closed soles"
    )
    edge_fraction: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="distance of the centre of pressure from the edge of a sole (1 is the middle) below "
        "which the sole may roll over this edge",
    )
    flat_start_m: float = Field(
        default=4e-4,
        gt=0,
        le=0.1,
        description="SD of the heights of the soles' corners above one level plane at reset [m]",
    )
    flat_start_sigmas: float = Field(
        default=4.0,
        ge=0,
        le=100,
        description="largest angle between the soles' normal and the accelerometer, in SD of the "
        "accelerometer, at which the floor counts as level at reset; 0 for never",
    )
    joints: JointObserverGains = JointObserverGains()
    contact: ContactGains = ContactGains()
    outside: OutsideGains = OutsideGains()
    arm: ArmGains = ArmGains()
