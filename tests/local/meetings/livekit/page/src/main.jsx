// The page around the meeting is ours; the lobby, the call and its controls are LiveKit's own components.
//
// It behaves as LiveKit Meet does where a bot can tell: `/rooms/NAME` shows PreJoin, the page fetches its own token,
// an error is an `alert`, and whatever ends the call leads back to `/` by a client-side route, without a reason.
import React, { useCallback, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { LiveKitRoom, PreJoin, VideoConference } from '@livekit/components-react';
import { Room, RoomEvent } from 'livekit-client';
import '@livekit/components-styles';
import './page.css';

// Constant objects: a new one per render would make LiveKitRoom connect again.
const ROOM_OPTIONS = { adaptiveStream: true, dynacast: true };
// No STUN or TURN server: media stays on this machine, whatever list the server offers.
const CONNECT_OPTIONS = { rtcConfig: { iceServers: [] } };

// Seconds of sound and picture that are held back. Server, senders and receivers of this meeting share one machine with
// everything else that is tested there; a receiver left to itself holds 20 ms, and stretches the sound at each late
// packet. What is judged in this meeting is the recorder, not the machine's scheduling. No more than this: a receiver
// begins to play at half of the delay and gets to all of it by stretching, which takes four seconds for 0.3 s and no
// time worth naming for 0.1 s. It then stretches again whenever it holds 10 ms less than it should, or 20 ms more; so
// once it holds as much as it should, it is told that 10 ms less would do.
const PLAYOUT_DELAY = 0.1;
const SETTLED_PLAYOUT_DELAY = 0.09;
const SETTLED_AFTER = 2000; // ms

function steadyRoom() {
  const room = new Room(ROOM_OPTIONS);
  room.on(RoomEvent.TrackSubscribed, (track) => {
    track.setPlayoutDelay(PLAYOUT_DELAY);
    setTimeout(() => track.setPlayoutDelay(SETTLED_PLAYOUT_DELAY), SETTLED_AFTER);
  });
  return room;
}

function usePath() {
  const [path, setPath] = useState(window.location.pathname);
  useEffect(() => {
    const onPop = () => setPath(window.location.pathname);
    window.addEventListener('popstate', onPop);
    return () => window.removeEventListener('popstate', onPop);
  }, []);
  // history.pushState, never location.assign: leaving also fires while the document unloads, and an assignment
  // would then hijack the navigation that is under way.
  const go = useCallback((target) => {
    window.history.pushState(null, '', target);
    setPath(target);
  }, []);
  return [path, go];
}

function StartPage({ go }) {
  const start = () => go(`/rooms/${crypto.randomUUID().slice(0, 8)}`);
  return (
    <main className="start">
      <h1>Local meeting</h1>
      <button className="lk-button" onClick={start}>Start Meeting</button>
    </main>
  );
}

function alertError(error) {
  console.error(error);
  window.alert(`Encountered an unexpected error, check the console logs for details: ${error.message}`);
}

function RoomPage({ roomName, go }) {
  const [call, setCall] = useState(null);
  const [room] = useState(steadyRoom);

  const join = async (choices) => {
    const query = new URLSearchParams({ roomName, participantName: choices.username });
    try {
      const response = await fetch(`/api/connection-details?${query}`);
      if (!response.ok) throw new Error(await response.text());
      setCall({ choices, details: await response.json() });
    } catch (error) {
      alertError(error);
    }
  };

  if (call === null) {
    return (
      <main className="lobby">
        {/* A missing device is no reason to stay out: it is only written to the console. */}
        <PreJoin onSubmit={join} onError={console.error} />
      </main>
    );
  }
  return (
    <LiveKitRoom
      serverUrl={call.details.serverUrl}
      token={call.details.participantToken}
      audio={call.choices.audioEnabled}
      video={call.choices.videoEnabled}
      room={room}
      connectOptions={CONNECT_OPTIONS}
      onDisconnected={() => go('/')}
      onError={alertError}
      onMediaDeviceFailure={(failure) => alertError(new Error(`media device: ${failure}`))}
    >
      <VideoConference />
    </LiveKitRoom>
  );
}

function Page() {
  const [path, go] = usePath();
  const room = path.match(/^\/rooms\/([^/]+)\/?$/);
  return room ? <RoomPage key={room[1]} roomName={decodeURIComponent(room[1])} go={go} /> : <StartPage go={go} />;
}

createRoot(document.getElementById('page')).render(<Page />);
